#include "engine/kernels/instruction_set.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/elementwise.h"

namespace lockstep::kernels {
namespace {

TEST(InstructionSetTest, EveryAvailableSetCanBeReachedInOneProcess) {
  const std::vector<std::string> sets = AvailableInstructionSets();
  ASSERT_FALSE(sets.empty());
  // Twice, so that every set is also reached from every other.
  for (int round = 0; round < 2; ++round) {
    for (const std::string& set : sets) {
      ASSERT_TRUE(LimitInstructionSet(set).ok());
      // Answered by a function that was compiled for the set it names.
      EXPECT_EQ(ActiveInstructionSet(), set);
      float x = 3.0f;
      Unary(UnaryOp::kSquare, 1, &x, &x);
      EXPECT_EQ(x, 9.0f);
      EXPECT_EQ(ActiveInstructionSet(), set);
    }
  }
  ASSERT_TRUE(LimitInstructionSet("best").ok());
  EXPECT_EQ(ActiveInstructionSet(), sets.front());
}

TEST(InstructionSetTest, ALimitDoesNotChangeWhatIsAvailable) {
  const std::vector<std::string> sets = AvailableInstructionSets();
  ASSERT_TRUE(LimitInstructionSet(sets.back()).ok());
  EXPECT_EQ(AvailableInstructionSets(), sets);
  ASSERT_TRUE(LimitInstructionSet("best").ok());
}

TEST(InstructionSetTest, AnUnknownNameIsRefusedAndChangesNothing) {
  const std::string before = ActiveInstructionSet();
  const absl::Status status = LimitInstructionSet("sse4");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("got \"sse4\", want one of best"), absl::string_view::npos)
      << status;
  EXPECT_EQ(ActiveInstructionSet(), before);
}

}  // namespace
}  // namespace lockstep::kernels
