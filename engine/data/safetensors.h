// Model files in the safetensors format, which PyTorch and others read.
//
//   8 bytes    length N of the header, little-endian
//   N bytes    JSON: {"__metadata__": {"key": "text", ...},
//              "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...},
//              spaces at the end
//   the tensors' little-endian bytes; the offsets count from here
//
// Written files are a function of their contents alone: metadata by key, then
// tensors by name, data in the same order, N a multiple of 8.
#ifndef LOCKSTEP_ENGINE_DATA_SAFETENSORS_H_
#define LOCKSTEP_ENGINE_DATA_SAFETENSORS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/data/named_tensor.h"

namespace lockstep::data {

using SafetensorsMetadata = std::map<std::string, std::string>;

// The file's first 8 + N bytes.
// Requires: float32 tensors with distinct names, none "__metadata__"; all text UTF-8.
std::string SafetensorsHeader(absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata);

// The whole file in pieces that share the header's and the tensors' memory,
// which must outlive them; `header` is SafetensorsHeader of the same tensors.
std::vector<absl::string_view> SafetensorsPieces(const std::string& header,
                                                 absl::Span<const NamedTensor> tensors);

// The whole file as one string.
std::string SerializeSafetensors(absl::Span<const NamedTensor> tensors,
                                 const SafetensorsMetadata& metadata);

// Errors: as WriteFileAtomically.
absl::Status WriteSafetensors(const std::string& path, absl::Span<const NamedTensor> tensors,
                              const SafetensorsMetadata& metadata);

struct SafetensorsFile {
  std::vector<NamedTensor> tensors;  // in ascending order of names, memory of their own
  SafetensorsMetadata metadata;
};

// `source` names the bytes in messages. Trusts nothing in the bytes.
// Errors: InvalidArgument: not such a file, or a tensor is not F32 (named);
// DataLoss: the file is shorter or longer than its header says.
absl::StatusOr<SafetensorsFile> ParseSafetensors(absl::string_view bytes, absl::string_view source);

// Errors: NotFound, PermissionDenied, those of ParseSafetensors.
absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_SAFETENSORS_H_
