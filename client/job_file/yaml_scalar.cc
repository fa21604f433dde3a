#include "client/job_file/yaml_scalar.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/job_file/job_file_problem.h"

namespace lockstep::client {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Removes digits from the front; whether there were any.
bool TakeDigits(absl::string_view* text) {
  const size_t before = text->size();
  while (!text->empty() && absl::ascii_isdigit(text->front())) text->remove_prefix(1);
  return text->size() < before;
}

void TakeSign(absl::string_view* text) {
  if (!text->empty() && (text->front() == '-' || text->front() == '+')) text->remove_prefix(1);
}

bool IsWholeNumber(absl::string_view text) {
  TakeSign(&text);
  return TakeDigits(&text) && text.empty();
}

// Decimal: [-+]? digits, with a fraction or an exponent or both or neither.
bool IsDecimalNumber(absl::string_view text) {
  TakeSign(&text);
  bool digits = TakeDigits(&text);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    digits = TakeDigits(&text) || digits;
  }
  if (!digits) return false;
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    TakeSign(&text);
    if (!TakeDigits(&text)) return false;
  }
  return text.empty();
}

// YAML's and C's spellings of infinity and not-a-number.
bool IsNotFinite(absl::string_view text) {
  TakeSign(&text);
  const std::string lower = absl::AsciiStrToLower(text);
  return lower == ".inf" || lower == ".nan" || lower == "inf" || lower == "nan" ||
         lower == "infinity";
}

bool IsWrittenZero(absl::string_view text) {
  for (const char c : text) {
    if (c == 'e' || c == 'E') return true;
    if (c >= '1' && c <= '9') return false;
  }
  return true;
}

std::string Got(const YamlNode& node, absl::string_view want) {
  return absl::StrCat("got ", Describe(node), ", want ", want);
}

bool IsPlain(const YamlNode& node) { return node.kind == YamlNode::Kind::kScalar && !node.quoted; }

template <typename Integer>
std::string ParseInteger(const YamlNode& node, Integer* value) {
  if (!IsPlain(node) || !IsWholeNumber(node.text)) return Got(node, "a whole number");
  absl::string_view text = node.text;
  if (text.front() == '+') text.remove_prefix(1);
  if (absl::SimpleAtoi(text, value)) return "";
  using Limits = std::numeric_limits<Integer>;
  const std::string got =
      absl::StrCat("got ", QuotedForMessage(node.text), ", want a whole number, ");
  if (text.front() == '-') return absl::StrCat(got, Limits::min(), " or more");
  return absl::StrCat(got, Limits::max(), " or less");
}

template <typename Float>
std::string ParseFloat(const YamlNode& node, Float* value) {
  if (IsPlain(node) && IsNotFinite(node.text)) return Got(node, "a finite number");
  if (!IsPlain(node) || !IsDecimalNumber(node.text)) return Got(node, "a number");
  bool parsed = false;
  if constexpr (std::is_same_v<Float, float>) {
    parsed = absl::SimpleAtof(node.text, value);
  } else {
    parsed = absl::SimpleAtod(node.text, value);
  }
  constexpr int kBits = 8 * sizeof(Float);
  if (!parsed || !std::isfinite(*value)) {
    return Got(node, absl::StrCat("a number that fits in ", kBits, " bits: it is too large"));
  }
  // Silently taking it for 0 would only lead to a stranger message later.
  if (*value == 0 && !IsWrittenZero(node.text)) {
    return Got(node, absl::StrCat("a number that fits in ", kBits, " bits: it is too near to 0"));
  }
  return "";
}

std::string ParseBool(const YamlNode& node, bool* value) {
  if (!IsPlain(node) || (node.text != "true" && node.text != "false")) {
    return Got(node, "true or false");
  }
  *value = node.text == "true";
  return "";
}

std::string ParseText(const YamlNode& node, std::string* value) {
  if (node.kind != YamlNode::Kind::kScalar) return Got(node, "text");
  *value = node.text;
  return "";
}

}  // namespace

std::string Describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return node.entries.empty() ? "an empty map" : "a map";
    case YamlNode::Kind::kScalar:
      break;
  }
  absl::string_view type = "text";
  if (node.quoted) {
    type = "quoted text";
  } else if (IsDecimalNumber(node.text)) {
    type = "number";
  } else if (node.text == "true" || node.text == "false") {
    type = "truth value";
  }
  return absl::StrCat(QuotedForMessage(node.text), " (", type, ")");
}

// Parses a value of the C++ type behind a field's type and stores it with
// Set##Name or Add##Name.
#define LOCKSTEP_SET_SCALAR(CPPTYPE, Type, Name, Parse)        \
  case FieldDescriptor::CPPTYPE: {                             \
    Type value{};                                              \
    std::string error = Parse(node, &value);                   \
    if (!error.empty()) return error;                          \
    if (field->is_repeated()) {                                \
      reflection->Add##Name(message, field, std::move(value)); \
    } else {                                                   \
      reflection->Set##Name(message, field, std::move(value)); \
    }                                                          \
    return "";                                                 \
  }

std::string SetScalar(const YamlNode& node, const FieldDescriptor* field, Message* message) {
  const google::protobuf::Reflection* reflection = message->GetReflection();
  switch (field->cpp_type()) {
    LOCKSTEP_SET_SCALAR(CPPTYPE_INT32, int32_t, Int32, ParseInteger)
    LOCKSTEP_SET_SCALAR(CPPTYPE_INT64, int64_t, Int64, ParseInteger)
    LOCKSTEP_SET_SCALAR(CPPTYPE_UINT32, uint32_t, UInt32, ParseInteger)
    LOCKSTEP_SET_SCALAR(CPPTYPE_UINT64, uint64_t, UInt64, ParseInteger)
    LOCKSTEP_SET_SCALAR(CPPTYPE_FLOAT, float, Float, ParseFloat)
    LOCKSTEP_SET_SCALAR(CPPTYPE_DOUBLE, double, Double, ParseFloat)
    LOCKSTEP_SET_SCALAR(CPPTYPE_BOOL, bool, Bool, ParseBool)
    LOCKSTEP_SET_SCALAR(CPPTYPE_STRING, std::string, String, ParseText)
    case FieldDescriptor::CPPTYPE_ENUM:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "cannot be set in a job file";
}

#undef LOCKSTEP_SET_SCALAR

}  // namespace lockstep::client
