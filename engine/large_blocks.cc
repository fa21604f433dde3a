#include "engine/large_blocks.h"

#include <cstdlib>
#include <string>

#include "engine/check.h"

namespace lockstep {
namespace {

// Null: there is none.
void* NewBlock(std::size_t size_bytes) {
  void* block = nullptr;
  return posix_memalign(&block, LargeBlocks::kAlignment, size_bytes) == 0 ? block : nullptr;
}

}  // namespace

// All are multiples of the alignment.
LargeBlocks::SizeClass LargeBlocks::ClassFor(std::size_t size_bytes) {
  std::size_t base = kAlignment * kClassesPerDoubling;
  LOCKSTEP_CHECK(size_bytes <= base << kDoublings,
                 "cannot allocate " + std::to_string(size_bytes) + " bytes");
  int index = 0;
  while (size_bytes > 2 * base) {
    base *= 2;
    index += kClassesPerDoubling;
  }
  const std::size_t quarter = base / kClassesPerDoubling;
  if (size_bytes <= base) return {index, base};
  const std::size_t quarters = (size_bytes - base + quarter - 1) / quarter;
  return {index + static_cast<int>(quarters), base + quarters * quarter};
}

void* LargeBlocks::Take(std::size_t size_bytes) {
  const SizeClass size_class = ClassFor(size_bytes);
  if (keep_) {
    absl::MutexLock lock(&mutex_);
    std::vector<void*>& blocks = free_[size_class.index];
    if (!blocks.empty()) {
      void* const block = blocks.back();
      blocks.pop_back();
      return block;
    }
  }
  const std::size_t fresh_bytes = keep_ ? size_class.capacity_bytes : size_bytes;
  void* block = NewBlock(fresh_bytes);
  if (block == nullptr) {
    Release();  // the kept blocks are of other sizes, and may be what is missing
    block = NewBlock(fresh_bytes);
  }
  LOCKSTEP_CHECK(block != nullptr,
                 "out of memory: got no block of " + std::to_string(fresh_bytes) + " bytes");
  return block;
}

void LargeBlocks::Give(void* block, std::size_t size_bytes) {
  if (!keep_) return std::free(block);
  absl::MutexLock lock(&mutex_);
  free_[ClassFor(size_bytes).index].push_back(block);
}

void LargeBlocks::Release() {
  absl::MutexLock lock(&mutex_);
  for (std::vector<void*>& blocks : free_) {
    for (void* block : blocks) std::free(block);
    blocks.clear();
    blocks.shrink_to_fit();
  }
}

}  // namespace lockstep
