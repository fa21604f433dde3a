// One flat JSON object on one line, for what is not a protobuf message.
#ifndef LOCKSTEP_CLIENT_JSON_OBJECT_H_
#define LOCKSTEP_CLIENT_JSON_OBJECT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockstep::client {

// Fields stand in the order of the calls.
class JsonObject {
 public:
  JsonObject& Add(absl::string_view name, absl::string_view text);
  JsonObject& Add(absl::string_view name, const char* text);
  JsonObject& Add(absl::string_view name, uint64_t number);
  JsonObject& Add(absl::string_view name, bool truth);
  // A list of texts.
  JsonObject& Add(absl::string_view name, const std::vector<std::string>& texts);
  // With as many digits as it takes to read the same number back; null where
  // JSON has no such number (NaN, infinities).
  JsonObject& Add(absl::string_view name, double number);
  // null where there is no number.
  JsonObject& Add(absl::string_view name, const std::optional<double>& number);

  // The object and a line end.
  std::string Line() const { return "{" + fields_ + "}\n"; }

 private:
  void AddRaw(absl::string_view name, absl::string_view json);

  std::string fields_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JSON_OBJECT_H_
