// A tensor and its name, e.g. "0.weight": an element of a model or checkpoint.
#ifndef LOCKSTEP_ENGINE_DATA_NAMED_TENSOR_H_
#define LOCKSTEP_ENGINE_DATA_NAMED_TENSOR_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/tensor.h"

namespace lockstep::data {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Pointers to the tensors in ascending byte order of their names, the order of
// files and hashes. Requires: the tensors outlive the result.
std::vector<const NamedTensor*> InNameOrder(absl::Span<const NamedTensor> tensors);

// The elements as they lie in memory, which is little-endian on every machine
// that this code compiles for. Requires: the tensor's storage outlives the result.
absl::string_view ElementBytes(const Tensor& tensor);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_NAMED_TENSOR_H_
