#include "engine/model/field_error.h"

#include "gtest/gtest.h"

namespace lockstep {
namespace {

TEST(FieldErrorTest, CarriesPathAndMessageApart) {
  const absl::Status status = FieldError("model[2].linear", "got a: b, want c");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "model[2].linear: got a: b, want c");
  EXPECT_EQ(FieldPathOf(status), "model[2].linear");
  EXPECT_EQ(FieldMessageOf(status), "got a: b, want c");
}

TEST(FieldErrorTest, OtherStatusesHaveNoPath) {
  const absl::Status status = absl::NotFoundError("no such: job");
  EXPECT_EQ(FieldPathOf(status), "");
  EXPECT_EQ(FieldMessageOf(status), "no such: job");
  EXPECT_EQ(FieldPathOf(absl::OkStatus()), "");
}

}  // namespace
}  // namespace lockstep
