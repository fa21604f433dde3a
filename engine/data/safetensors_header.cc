#include "engine/data/safetensors_header.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/data/json_scanner.h"

namespace lockstep::data {
namespace {

// Takes a list between brackets: `item` for each, commas between.
template <typename Item>
absl::Status ReadList(JsonScanner* scanner, char open, char close, Item item) {
  absl::Status status = scanner->Expect(open);
  if (!status.ok() || scanner->Take(close)) return status;
  do {
    status = item();
    if (!status.ok()) return status;
  } while (scanner->Take(','));
  return scanner->Expect(close);
}

// Takes an object: `member` for each key, with the scanner behind its colon.
template <typename Member>
absl::Status ReadObject(JsonScanner* scanner, Member member) {
  return ReadList(scanner, '{', '}', [&]() -> absl::Status {
    absl::StatusOr<std::string> key = scanner->String();
    if (!key.ok()) return key.status();
    absl::Status status = scanner->Expect(':');
    if (!status.ok()) return status;
    return member(*key);
  });
}

absl::Status ReadString(JsonScanner* scanner, std::string* out) {
  absl::StatusOr<std::string> text = scanner->String();
  if (text.ok()) *out = *std::move(text);
  return text.status();
}

absl::Status ReadNumbers(JsonScanner* scanner, uint64_t greatest, std::vector<uint64_t>* out) {
  return ReadList(scanner, '[', ']', [&]() -> absl::Status {
    absl::StatusOr<uint64_t> number = scanner->Number();
    if (!number.ok()) return number.status();
    if (*number > greatest) return scanner->Error("number before this", "one below 2^63");
    out->push_back(*number);
    return absl::OkStatus();
  });
}

absl::Status Twice(const JsonScanner& scanner, absl::string_view key) {
  return scanner.Error(absl::StrCat("key ", JsonString(key), " for the second time"),
                       "each key once");
}

absl::Status ReadMetadata(JsonScanner* scanner, std::map<std::string, std::string>* metadata) {
  return ReadObject(scanner, [&](const std::string& key) -> absl::Status {
    std::string text;
    absl::Status status = ReadString(scanner, &text);
    if (!status.ok()) return status;
    if (!metadata->emplace(key, std::move(text)).second) return Twice(*scanner, key);
    return absl::OkStatus();
  });
}

absl::Status ReadEntry(JsonScanner* scanner, SafetensorsEntry* entry) {
  constexpr uint64_t kGreatest = std::numeric_limits<int64_t>::max();
  bool has_dtype = false;
  bool has_shape = false;
  std::vector<uint64_t> offsets;
  absl::Status status = ReadObject(scanner, [&](const std::string& key) -> absl::Status {
    if (key == "dtype") {
      if (std::exchange(has_dtype, true)) return Twice(*scanner, key);
      return ReadString(scanner, &entry->dtype);
    }
    if (key == "shape") {
      if (std::exchange(has_shape, true)) return Twice(*scanner, key);
      std::vector<uint64_t> extents;
      absl::Status status = ReadNumbers(scanner, kGreatest, &extents);
      entry->extents.assign(extents.begin(), extents.end());
      return status;
    }
    if (key == "data_offsets") {
      if (!offsets.empty()) return Twice(*scanner, key);
      return ReadNumbers(scanner, kGreatest, &offsets);
    }
    return scanner->Error(absl::StrCat("key ", JsonString(key)), "dtype, shape or data_offsets");
  });
  if (!status.ok()) return status;
  if (!has_dtype || !has_shape || offsets.size() != 2) {
    return scanner->Error("tensor before this", "dtype, shape and two data_offsets in it");
  }
  entry->begin = offsets[0];
  entry->end = offsets[1];
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedSafetensorsHeader> ParseSafetensorsHeader(absl::string_view json,
                                                               absl::string_view source) {
  ParsedSafetensorsHeader header;
  JsonScanner scanner(json, source);
  bool has_metadata = false;
  absl::Status status = ReadObject(&scanner, [&](const std::string& key) -> absl::Status {
    if (key == "__metadata__") {
      if (std::exchange(has_metadata, true)) return Twice(scanner, key);
      return ReadMetadata(&scanner, &header.metadata);
    }
    const auto [entry, is_new] = header.tensors.try_emplace(key);
    if (!is_new) return Twice(scanner, key);
    return ReadEntry(&scanner, &entry->second);
  });
  if (status.ok()) status = scanner.End();
  if (!status.ok()) return status;
  return header;
}

}  // namespace lockstep::data
