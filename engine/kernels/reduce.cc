#include "engine/kernels/reduce.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/reduce.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/reduce-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

void SumRowsRun(int64_t rows, int64_t columns, const float* x, float* out) {
  for (int64_t r = 0; r < rows; ++r) out[r] = SumRow(columns, x + r * columns);
}

// sums[0, width) = the sums of `rows` rows of `width` columns, `stride` apart.
// Four vectors at a time hide an addition's latency.
HWY_INLINE void SumColumnsLeaf(int64_t rows, int64_t stride, int64_t width, const float* x,
                               float* sums) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) {
    auto s0 = hn::Zero(d);
    auto s1 = s0;
    auto s2 = s0;
    auto s3 = s0;
    for (int64_t r = 0; r < rows; ++r) {
      const float* from = x + r * stride + c;
      s0 = hn::Add(s0, hn::LoadU(d, from));
      s1 = hn::Add(s1, hn::LoadU(d, from + lanes));
      s2 = hn::Add(s2, hn::LoadU(d, from + 2 * lanes));
      s3 = hn::Add(s3, hn::LoadU(d, from + 3 * lanes));
    }
    hn::StoreU(s0, d, sums + c);
    hn::StoreU(s1, d, sums + c + lanes);
    hn::StoreU(s2, d, sums + c + 2 * lanes);
    hn::StoreU(s3, d, sums + c + 3 * lanes);
  }
  for (; c + lanes <= width; c += lanes) {
    auto s0 = hn::Zero(d);
    for (int64_t r = 0; r < rows; ++r) s0 = hn::Add(s0, hn::LoadU(d, x + r * stride + c));
    hn::StoreU(s0, d, sums + c);
  }
  if (c == width) return;
  auto s0 = hn::Zero(d);
  for (int64_t r = 0; r < rows; ++r) {
    s0 = hn::Add(s0, LoadPartial(d, x + r * stride + c, width - c));
  }
  StorePartial(s0, d, sums + c, width - c);
}

// One piece of the columns: leaves are pushed on `stack` and folded as the tree
// says. The bottom of the stack ends up as the result.
void SumColumnsRun(int64_t stride, int64_t width, int shards, const int64_t* cuts, const int* folds,
                   const float* x, float* stack, float* out) {
  float* top = stack;
  for (int shard = 0; shard < shards; ++shard, top += width) {
    SumColumnsLeaf(cuts[shard + 1] - cuts[shard], stride, width, x + cuts[shard] * stride, top);
    for (int fold = 0; fold < folds[shard]; ++fold) {
      top -= width;
      Map(width, top, top + width, top,
          [](FloatVector left, FloatVector right) HWY_ATTR { return hn::Add(left, right); });
    }
  }
  std::memcpy(out, stack, width * sizeof(float));
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/shard_folds.h"

namespace lockstep::kernels {
HWY_EXPORT(SumRowsRun);
HWY_EXPORT(SumColumnsRun);

void SumRows(int64_t rows, int64_t columns, const float* x, float* out) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(SumRowsRun)(end - begin, columns, x + begin * columns, out + begin);
  });
}

void SumColumns(int64_t rows, int64_t columns, const float* x, float* out) {
  const int64_t cuts[] = {0, rows};
  SumColumnsShardTree(columns, cuts, x, out);
}

void SumColumnsShardTree(int64_t columns, absl::Span<const int64_t> cuts, const float* x,
                         float* out) {
  LOCKSTEP_CHECK(cuts.size() >= 2, "a shard tree needs at least one shard");
  const int shards = static_cast<int>(cuts.size()) - 1;
  const ShardFoldCounts folds = ShardFolds(shards);
  const int64_t columns_per_thread =
      std::max<int64_t>(16, kElementsPerThread / std::max<int64_t>(1, cuts.back()));
  ParallelRuns(columns, columns_per_thread, 16, [&](int64_t begin, int64_t end) {
    // Pieces whose stack stays in the first cache.
    constexpr int64_t kPiece = 256;
    static thread_local AlignedBuffer buffer;
    float* stack = buffer.Reserve(kPiece * ShardStackDepth(shards));
    for (int64_t c = begin; c < end; c += kPiece) {
      HWY_DYNAMIC_DISPATCH(SumColumnsRun)
      (columns, std::min(kPiece, end - c), shards, cuts.data(), folds.data(), x + c, stack,
       out + c);
    }
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
