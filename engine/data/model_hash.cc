#include "engine/data/model_hash.h"

#include <cstdint>

#include "engine/check.h"
#include "engine/data/sha256.h"

namespace lockstep::data {

std::string ModelSha256(absl::Span<const NamedTensor> tensors) {
  Sha256 digest;
  const auto add_number = [&digest](uint64_t number) { digest.Update(&number, sizeof(number)); };
  for (const NamedTensor* named : InNameOrder(tensors)) {
    LOCKSTEP_CHECK(named->tensor.dtype() == DType::kFloat32, "a float32 tensor");
    digest.Update(absl::string_view(named->name.data(), named->name.size() + 1));  // with its zero
    digest.Update(absl::string_view("F32", 4));
    add_number(static_cast<uint64_t>(named->tensor.rank()));
    for (int64_t extent : named->tensor.shape().extents()) {
      add_number(static_cast<uint64_t>(extent));
    }
    digest.Update(ElementBytes(named->tensor));
  }
  return digest.FinishHex();
}

}  // namespace lockstep::data
