#include "engine/data/named_tensor.h"

#include <algorithm>

#include "engine/check.h"

namespace lockstep::data {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "files and hashes hold the elements as they lie in memory");

std::vector<const NamedTensor*> InNameOrder(absl::Span<const NamedTensor> tensors) {
  std::vector<const NamedTensor*> ordered;
  ordered.reserve(tensors.size());
  for (const NamedTensor& tensor : tensors) ordered.push_back(&tensor);
  // std::string compares as unsigned bytes.
  std::sort(ordered.begin(), ordered.end(),
            [](const NamedTensor* a, const NamedTensor* b) { return a->name < b->name; });
  for (size_t i = 1; i < ordered.size(); ++i) {
    LOCKSTEP_CHECK(ordered[i - 1]->name != ordered[i]->name,
                   "two tensors named " + ordered[i]->name);
  }
  return ordered;
}

absl::string_view ElementBytes(const Tensor& tensor) {
  const size_t size_bytes =
      static_cast<size_t>(tensor.element_count()) * ElementSize(tensor.dtype());
  if (size_bytes == 0) return "";  // not null: memcpy of it is allowed
  const void* data = tensor.dtype() == DType::kFloat32
                         ? static_cast<const void*>(tensor.data<float>())
                         : static_cast<const void*>(tensor.data<int64_t>());
  return {static_cast<const char*>(data), size_bytes};
}

}  // namespace lockstep::data
