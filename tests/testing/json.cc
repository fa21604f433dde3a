#include "tests/testing/json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace lockstep::tests {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

Value FieldOf(const Struct& object, const std::string& field) {
  const auto found = object.fields().find(field);
  if (found != object.fields().end()) return found->second;
  ADD_FAILURE() << "no field '" << field << "' in " << object.ShortDebugString();
  return Value();
}

}  // namespace

void ParseJson(const std::string& text, google::protobuf::Message* message) {
  const auto status = google::protobuf::util::JsonStringToMessage(text, message);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << text;
}

std::vector<Struct> ParseJsonLines(const std::string& text) {
  std::vector<Struct> objects;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    objects.emplace_back();
    ParseJson(std::string(line), &objects.back());
  }
  return objects;
}

double NumberOf(const Struct& object, const std::string& field) {
  const Value value = FieldOf(object, field);
  EXPECT_EQ(value.kind_case(), Value::kNumberValue) << field << " " << value.ShortDebugString();
  return value.number_value();
}

std::string TextOf(const Struct& object, const std::string& field) {
  const Value value = FieldOf(object, field);
  EXPECT_EQ(value.kind_case(), Value::kStringValue) << field << " " << value.ShortDebugString();
  return value.string_value();
}

}  // namespace lockstep::tests
