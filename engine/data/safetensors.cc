#include "engine/data/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/check.h"
#include "engine/data/atomic_file.h"
#include "engine/data/input_file.h"
#include "engine/data/json_scanner.h"
#include "engine/data/safetensors_header.h"

namespace lockstep::data {
namespace {

constexpr size_t kLengthBytes = 8;
// The reference implementation's own bound (safetensors, MAX_HEADER_SIZE).
constexpr uint64_t kMostHeaderBytes = 100'000'000;
constexpr char kMetadataKey[] = "__metadata__";

std::string EntryJson(const NamedTensor& named, uint64_t begin, uint64_t end) {
  return absl::StrCat(JsonString(named.name), ":{\"dtype\":\"F32\",\"shape\":[",
                      absl::StrJoin(named.tensor.shape().extents(), ","), "],\"data_offsets\":[",
                      begin, ",", end, "]}");
}

std::string MetadataJson(const SafetensorsMetadata& metadata) {
  std::vector<std::string> members;
  for (const auto& [key, text] : metadata) {
    members.push_back(absl::StrCat(JsonString(key), ":", JsonString(text)));
  }
  return absl::StrCat(JsonString(kMetadataKey), ":{", absl::StrJoin(members, ","), "}");
}

absl::Status Malformed(absl::string_view source, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(source, ": ", what));
}

// Bytes of a float32 tensor of these extents.
absl::StatusOr<uint64_t> CountBytes(absl::string_view source, const std::string& tensor,
                                    const SafetensorsEntry& entry) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max() / sizeof(float);
  uint64_t count = 1;
  for (int64_t extent : entry.extents) {
    if (extent != 0 && count > kMost / static_cast<uint64_t>(extent)) {
      return Malformed(source,
                       absl::StrCat(tensor, ": shape, got [", absl::StrJoin(entry.extents, ", "),
                                    "], want fewer than 2^61 elements"));
    }
    count *= static_cast<uint64_t>(extent);
  }
  return count * sizeof(float);
}

absl::Status CheckEntry(absl::string_view source, const std::string& name,
                        const SafetensorsEntry& entry) {
  const std::string tensor = absl::StrCat("tensor ", JsonString(name));
  if (entry.dtype != "F32") {
    return Malformed(source,
                     absl::StrCat(tensor, ": dtype, got ", JsonString(entry.dtype), ", want F32"));
  }
  absl::StatusOr<uint64_t> size_bytes = CountBytes(source, tensor, entry);
  if (!size_bytes.ok()) return size_bytes.status();
  if (entry.begin > entry.end || entry.end - entry.begin != *size_bytes) {
    return Malformed(source,
                     absl::StrCat(tensor, ": data_offsets, got [", entry.begin, ", ", entry.end,
                                  "], want ", *size_bytes, " bytes between them for shape [",
                                  absl::StrJoin(entry.extents, ", "), "]"));
  }
  return absl::OkStatus();
}

// The tensors must lie one after another, from the data's first byte to its last.
absl::Status CheckLayout(absl::string_view source, const ParsedSafetensorsHeader& header,
                         uint64_t data_bytes) {
  std::vector<std::pair<const std::string*, const SafetensorsEntry*>> ordered;
  for (const auto& [name, entry] : header.tensors) {
    absl::Status status = CheckEntry(source, name, entry);
    if (!status.ok()) return status;
    ordered.emplace_back(&name, &entry);
  }
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.second->begin, a.second->end) <
           std::make_pair(b.second->begin, b.second->end);
  });
  uint64_t end = 0;
  for (const auto& [name, entry] : ordered) {
    if (entry->begin != end) {
      return Malformed(source, absl::StrCat("tensor ", JsonString(*name), ": data_offsets, got [",
                                            entry->begin, ", ", entry->end, "], want ", end,
                                            " as the first: no overlaps, no holes"));
    }
    end = entry->end;
  }
  if (end == data_bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(source, ": tensor data, got ", data_bytes,
                                          " bytes, want ", end, " as the header says"));
}

absl::StatusOr<uint64_t> HeaderLength(absl::string_view bytes, absl::string_view source) {
  if (bytes.size() < kLengthBytes) {
    return absl::DataLossError(
        absl::StrCat(source, ": file, got ", bytes.size(), " bytes, want at least 8"));
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMostHeaderBytes) {
    return Malformed(source, absl::StrCat("header length, got ", length, ", want at most ",
                                          kMostHeaderBytes, " (is it a safetensors file?)"));
  }
  if (length > bytes.size() - kLengthBytes) {
    return absl::DataLossError(absl::StrCat(source, ": header, got ", bytes.size() - kLengthBytes,
                                            " bytes to the file's end, want ", length));
  }
  return length;
}

}  // namespace

std::string SafetensorsHeader(absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata) {
  std::vector<std::string> members;
  if (!metadata.empty()) members.push_back(MetadataJson(metadata));
  uint64_t begin = 0;
  for (const NamedTensor* named : InNameOrder(tensors)) {
    LOCKSTEP_CHECK(named->tensor.dtype() == DType::kFloat32, "a float32 tensor");
    LOCKSTEP_CHECK(named->name != kMetadataKey, "a tensor's name");
    const uint64_t end = begin + ElementBytes(named->tensor).size();
    members.push_back(EntryJson(*named, begin, end));
    begin = end;
  }
  std::string json = absl::StrCat("{", absl::StrJoin(members, ","), "}");
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const uint64_t length = json.size();
  std::string header(kLengthBytes, '\0');
  std::memcpy(header.data(), &length, kLengthBytes);
  return header + json;
}

std::vector<absl::string_view> SafetensorsPieces(const std::string& header,
                                                 absl::Span<const NamedTensor> tensors) {
  std::vector<absl::string_view> pieces = {header};
  for (const NamedTensor* named : InNameOrder(tensors)) {
    pieces.push_back(ElementBytes(named->tensor));
  }
  return pieces;
}

std::string SerializeSafetensors(absl::Span<const NamedTensor> tensors,
                                 const SafetensorsMetadata& metadata) {
  const std::string header = SafetensorsHeader(tensors, metadata);
  return absl::StrJoin(SafetensorsPieces(header, tensors), "");
}

absl::Status WriteSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata) {
  const std::string header = SafetensorsHeader(tensors, metadata);
  return WriteFileAtomically(path, SafetensorsPieces(header, tensors));
}

absl::StatusOr<SafetensorsFile> ParseSafetensors(absl::string_view bytes,
                                                 absl::string_view source) {
  absl::StatusOr<uint64_t> length = HeaderLength(bytes, source);
  if (!length.ok()) return length.status();
  absl::StatusOr<ParsedSafetensorsHeader> header =
      ParseSafetensorsHeader(bytes.substr(kLengthBytes, *length), source);
  if (!header.ok()) return header.status();
  const absl::string_view data = bytes.substr(kLengthBytes + *length);
  absl::Status status = CheckLayout(source, *header, data.size());
  if (!status.ok()) return status;
  SafetensorsFile file;
  file.metadata = std::move(header->metadata);
  for (auto& [name, entry] : header->tensors) {
    Tensor tensor = Tensor::Empty(Shape(std::move(entry.extents)));
    const absl::string_view elements = data.substr(entry.begin, entry.end - entry.begin);
    if (!elements.empty()) std::memcpy(tensor.data<float>(), elements.data(), elements.size());
    file.tensors.push_back({name, std::move(tensor)});
  }
  return file;
}

absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path) {
  absl::StatusOr<std::unique_ptr<InputFile>> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  std::string bytes((*file)->size_bytes(), '\0');
  absl::StatusOr<size_t> count = (*file)->Read(bytes.data(), bytes.size());
  if (!count.ok()) return count.status();
  bytes.resize(*count);
  return ParseSafetensors(bytes, path);
}

}  // namespace lockstep::data
