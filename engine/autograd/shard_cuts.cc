#include "engine/autograd/shard_cuts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/block_pool.h"
#include "engine/check.h"

namespace lockstep::autograd {
namespace {

thread_local ShardCuts* innermost = nullptr;

}  // namespace

ShardCuts::ShardCuts(absl::Span<const int64_t> cuts)
    : cuts_(std::allocate_shared<const PooledVector<int64_t>>(
          PoolAllocator<PooledVector<int64_t>>(), cuts.begin(), cuts.end())),
      outer_(innermost) {
  LOCKSTEP_CHECK(
      cuts_->size() >= 2 && cuts_->front() == 0 && std::is_sorted(cuts_->begin(), cuts_->end()),
      "shard cuts must be at least two, ascending from 0");
  innermost = this;
}

ShardCuts::~ShardCuts() { innermost = outer_; }

std::shared_ptr<const PooledVector<int64_t>> ShardCuts::Current() {
  if (innermost == nullptr || innermost->cuts_->size() == 2) return nullptr;
  return innermost->cuts_;
}

void ShardCuts::MarkUnsupported() {
  if (innermost != nullptr && innermost->cuts_->size() > 2) innermost->supported_ = false;
}

void ShardCuts::MarkFirstAxisChanged(int64_t extent) {
  if (innermost != nullptr && innermost->cuts_->back() == extent) MarkUnsupported();
}

PooledVector<int64_t> RowCuts(const std::shared_ptr<const PooledVector<int64_t>>& cuts,
                              int64_t rows) {
  if (cuts == nullptr) return {0, rows};
  const int64_t examples = cuts->back();
  if (examples == 0 && rows == 0) return *cuts;
  LOCKSTEP_CHECK(examples > 0 && rows % examples == 0,
                 absl::StrCat("shard cuts are for ", examples, " examples, got ", rows, " rows"));
  PooledVector<int64_t> row_cuts = *cuts;
  for (int64_t& cut : row_cuts) cut *= rows / examples;
  return row_cuts;
}

}  // namespace lockstep::autograd
