#include "engine/kernels/embedding.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/embedding.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/row_terms-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// out [width] = one chain over the rows of dy at `positions`.
HWY_INLINE void SumRowsAt(int64_t count, const int64_t* positions, int64_t width, const float* dy,
                          float* out) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) {
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (int64_t i = 0; i < count; ++i) {
      const float* from = dy + positions[i] * width + c;
      s0 = hn::Add(s0, hn::LoadU(d, from));
      s1 = hn::Add(s1, hn::LoadU(d, from + lanes));
      s2 = hn::Add(s2, hn::LoadU(d, from + 2 * lanes));
      s3 = hn::Add(s3, hn::LoadU(d, from + 3 * lanes));
    }
    hn::StoreU(s0, d, out + c);
    hn::StoreU(s1, d, out + c + lanes);
    hn::StoreU(s2, d, out + c + 2 * lanes);
    hn::StoreU(s3, d, out + c + 3 * lanes);
  }
  ForRow(width - c, [&](auto at) HWY_ATTR {
    auto sum = hn::Zero(at.d);
    for (int64_t i = 0; i < count; ++i) {
      sum = hn::Add(sum, at.Load(dy + positions[i] * width + c));
    }
    at.Store(sum, out + c);
  });
}

// An entry that several shards look up. A shard without it is left out: it
// would add +0. `stack` has room for the tree's open sums.
HWY_INLINE void SumEntryOverShards(const int64_t* positions, const int64_t* end, int64_t width,
                                   int shards, const int64_t* cuts, const int* folds,
                                   const float* dy, float* stack, float* out) {
  uint64_t present = 0;  // bit i: place i of the stack holds a sum
  int top = 0;
  for (int shard = 0; shard < shards; ++shard) {
    const int64_t* next = positions;
    while (next < end && *next < cuts[shard + 1]) ++next;
    if (next > positions) {
      SumRowsAt(next - positions, positions, width, dy, stack + top * width);
      present |= uint64_t{1} << top;
    }
    positions = next;
    ++top;
    for (int fold = 0; fold < folds[shard]; ++fold) {
      --top;
      const uint64_t right_bit = uint64_t{1} << top;
      if ((present & right_bit) == 0) continue;
      float* left = stack + (top - 1) * width;
      const float* right = stack + top * width;
      if ((present & (right_bit >> 1)) != 0) {
        Map(width, left, right, left,
            [](FloatVector a, FloatVector b) HWY_ATTR { return hn::Add(a, b); });
      } else {
        std::memcpy(left, right, width * sizeof(float));
      }
      present = (present & ~right_bit) | (right_bit >> 1);
    }
  }
  std::memcpy(out, stack, width * sizeof(float));
}

// Entries [begin, end). order[starts[e], starts[e + 1]): the positions that
// look entry e up, ascending.
void EmbeddingBackwardRun(int64_t begin, int64_t end, int64_t width, int shards,
                          const int64_t* cuts, const int* folds, const int64_t* starts,
                          const int64_t* order, const float* dy, float* stack, float* dtable) {
  for (int64_t entry = begin; entry < end; ++entry) {
    const int64_t* first = order + starts[entry];
    const int64_t* last = order + starts[entry + 1];
    float* out = dtable + entry * width;
    if (first == last) {
      std::memset(out, 0, width * sizeof(float));
      continue;
    }
    int shard = 0;
    while (*first >= cuts[shard + 1]) ++shard;
    if (last[-1] < cuts[shard + 1]) {
      SumRowsAt(last - first, first, width, dy, out);
    } else {
      SumEntryOverShards(first, last, width, shards, cuts, folds, dy, stack, out);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <vector>

#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/shard_folds.h"

namespace lockstep::kernels {
HWY_EXPORT(EmbeddingBackwardRun);

namespace {

// Which positions look up which entry, by counting: starts [entries + 1] and
// order [starts.back()]. Kept from call to call.
struct Lookups {
  std::vector<int64_t> starts;
  std::vector<int64_t> order;

  void Sort(int64_t entries, int64_t positions, const int64_t* indices, int64_t padding_index) {
    starts.assign(entries + 1, 0);
    for (int64_t p = 0; p < positions; ++p) {
      if (indices[p] != padding_index) ++starts[indices[p]];
    }
    int64_t total = 0;
    for (int64_t e = 0; e < entries; ++e) starts[e] = total += starts[e];
    starts[entries] = total;
    order.resize(total);
    for (int64_t p = positions - 1; p >= 0; --p) {
      if (indices[p] != padding_index) order[--starts[indices[p]]] = p;
    }
  }
};

}  // namespace

void Embedding(int64_t positions, int64_t width, const int64_t* indices, const float* table,
               float* out) {
  ParallelRows(positions, width, [=](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      std::memcpy(out + p * width, table + indices[p] * width, width * sizeof(float));
    }
  });
}

void EmbeddingBackward(int64_t entries, int64_t width, absl::Span<const int64_t> cuts,
                       const int64_t* indices, int64_t padding_index, const float* dy,
                       float* dtable) {
  LOCKSTEP_CHECK(cuts.size() >= 2, "a shard tree needs at least one shard");
  const int shards = static_cast<int>(cuts.size()) - 1;
  const ShardFoldCounts folds = ShardFolds(shards);
  static thread_local Lookups lookups;
  lookups.Sort(entries, cuts.back(), indices, padding_index);
  const int64_t* starts = lookups.starts.data();
  const int64_t* order = lookups.order.data();
  // An entry costs one row and each of its positions another: the threads share
  // out these rows, of which those before entry e are starts[e] + e.
  const auto entry_at = [=](int64_t rows_before) {
    int64_t low = 0, high = entries;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (starts[middle] + middle < rows_before) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  ParallelRows(starts[entries] + entries, width, [&](int64_t begin, int64_t end) {
    static thread_local AlignedBuffer buffer;
    HWY_DYNAMIC_DISPATCH(EmbeddingBackwardRun)
    (entry_at(begin), entry_at(end), width, shards, cuts.data(), folds.data(), starts, order, dy,
     buffer.Reserve(width * ShardStackDepth(shards)), dtable);
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
