// The identity of a model's parameters: equal bits, equal hash, on any machine.
#ifndef LOCKSTEP_ENGINE_DATA_MODEL_HASH_H_
#define LOCKSTEP_ENGINE_DATA_MODEL_HASH_H_

#include <string>

#include "absl/types/span.h"
#include "engine/data/named_tensor.h"

namespace lockstep::data {

// SHA-256 (hex) over the tensors in ascending byte order of their names, of each:
//   the name, one zero byte
//   "F32", one zero byte
//   the rank, then each extent, as unsigned 64-bit little-endian numbers
//   the elements' little-endian bytes
// Requires: float32 tensors with distinct names.
std::string ModelSha256(absl::Span<const NamedTensor> tensors);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_MODEL_HASH_H_
