#include "client/json_object.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lockstep::client {
namespace {

std::string Quoted(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const unsigned char byte = c;
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned>(byte));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string Number(double number) {
  if (!std::isfinite(number)) return "null";
  for (const int digits : {6, 9, 15, 16}) {
    const std::string text = absl::StrFormat("%.*g", digits, number);
    if (std::strtod(text.c_str(), nullptr) == number) return text;
  }
  return absl::StrFormat("%.17g", number);
}

}  // namespace

void JsonObject::AddRaw(absl::string_view name, absl::string_view json) {
  absl::StrAppend(&fields_, fields_.empty() ? "" : ", ", Quoted(name), ": ", json);
}

JsonObject& JsonObject::Add(absl::string_view name, absl::string_view text) {
  AddRaw(name, Quoted(text));
  return *this;
}
JsonObject& JsonObject::Add(absl::string_view name, const char* text) {
  return Add(name, absl::string_view(text));
}
JsonObject& JsonObject::Add(absl::string_view name, uint64_t number) {
  AddRaw(name, absl::StrCat(number));
  return *this;
}
JsonObject& JsonObject::Add(absl::string_view name, bool truth) {
  AddRaw(name, truth ? "true" : "false");
  return *this;
}
JsonObject& JsonObject::Add(absl::string_view name, const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    absl::StrAppend(&list, list.empty() ? "" : ", ", Quoted(text));
  }
  AddRaw(name, absl::StrCat("[", list, "]"));
  return *this;
}
JsonObject& JsonObject::Add(absl::string_view name, double number) {
  AddRaw(name, Number(number));
  return *this;
}
JsonObject& JsonObject::Add(absl::string_view name, const std::optional<double>& number) {
  AddRaw(name, number.has_value() ? Number(*number) : "null");
  return *this;
}

}  // namespace lockstep::client
