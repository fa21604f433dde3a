// The register tile of products that are cut into shards (shard_tree.h): the two
// shards of a pair, which always are one node of the tree, run side by side in
// half a tile each. So a pair's sum needs no memory, and half as many sums go
// through the stack as with one shard after the other.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_MATMUL_SHARD_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_MATMUL_SHARD_TILE_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_MATMUL_SHARD_TILE_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_SHARD_TILE_INL_H_
#endif

#include "engine/kernels/register_tile-inl.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

inline constexpr int kShardTileRows = kTileRows / 2;

struct ShardTileTask {
  // Element (row, k) of A is a[row * a_row_stride + k * a_depth_stride].
  const float* a = nullptr;
  int64_t a_row_stride = 0;
  int64_t a_depth_stride = 0;
  const float* b = nullptr;  // vectors * lanes at b + k * b_stride
  int64_t b_stride = 0;
  // Shard i is the run [cuts[i], cuts[i+1]) of k; after it folds[i] sums of the
  // stack are added (shard_folds.h), each [rows][vectors * lanes].
  int shards = 1;
  const int64_t* cuts = nullptr;
  const int* folds = nullptr;
  float* stack = nullptr;
  float* out = nullptr;
  int64_t out_stride = 0;
  // How many lanes of the last vector exist in out.
  int64_t last_lanes = 0;
};

// The left shard's rows are the accumulators c0 to c3, the right one's c4 to c7.
#define LOCKSTEP_FOR_EACH_PAIR(F) F(0, 4) F(1, 5) F(2, 6) F(3, 7)
#define LOCKSTEP_FOR_EACH_PAIRED_VECTOR(G, row, other) \
  if constexpr (kRows > row) {                         \
    G(row, other, 0)                                   \
    if constexpr (kVectors > 1) {                      \
      G(row, other, 1)                                 \
    }                                                  \
    if constexpr (kVectors > 2) {                      \
      G(row, other, 2)                                 \
    }                                                  \
  }
#define LOCKSTEP_LOAD_VECTORS(from)                            \
  b0 = hn::LoadU(d, from);                                     \
  if constexpr (kVectors > 1) b1 = hn::LoadU(d, from + lanes); \
  if constexpr (kVectors > 2) b2 = hn::LoadU(d, from + 2 * lanes);
#define LOCKSTEP_LEFT_ONE(row, other, vector) \
  c##row##vector = Fma(a_row, b##vector, c##row##vector);
#define LOCKSTEP_LEFT(row, other)                                  \
  if constexpr (kRows > row) {                                     \
    const auto a_row = hn::Set(d, a[row * a_row_stride]);          \
    LOCKSTEP_FOR_EACH_PAIRED_VECTOR(LOCKSTEP_LEFT_ONE, row, other) \
  }
#define LOCKSTEP_RIGHT_ONE(row, other, vector) \
  c##other##vector = Fma(a_row, b##vector, c##other##vector);
#define LOCKSTEP_RIGHT(row, other)                                  \
  if constexpr (kRows > row) {                                      \
    const auto a_row = hn::Set(d, right_a[row * a_row_stride]);     \
    LOCKSTEP_FOR_EACH_PAIRED_VECTOR(LOCKSTEP_RIGHT_ONE, row, other) \
  }
#define LOCKSTEP_JOIN_ONE(row, other, vector) \
  c##row##vector = hn::Add(c##row##vector, c##other##vector);
#define LOCKSTEP_JOIN(row, other) LOCKSTEP_FOR_EACH_PAIRED_VECTOR(LOCKSTEP_JOIN_ONE, row, other)
#define LOCKSTEP_FOLD_ONE(row, other, vector) \
  c##row##vector = hn::Add(hn::Load(d, top + (row * kVectors + vector) * lanes), c##row##vector);
#define LOCKSTEP_FOLD(row, other) LOCKSTEP_FOR_EACH_PAIRED_VECTOR(LOCKSTEP_FOLD_ONE, row, other)
#define LOCKSTEP_PUSH_ONE(row, other, vector) \
  hn::Store(c##row##vector, d, top + (row * kVectors + vector) * lanes);
#define LOCKSTEP_PUSH(row, other) LOCKSTEP_FOR_EACH_PAIRED_VECTOR(LOCKSTEP_PUSH_ONE, row, other)
#define LOCKSTEP_ZERO_ONE(row, other, vector) \
  c##row##vector = zero;                      \
  c##other##vector = zero;
#define LOCKSTEP_ZERO(row, other) LOCKSTEP_FOR_EACH_PAIRED_VECTOR(LOCKSTEP_ZERO_ONE, row, other)
#define LOCKSTEP_STORE_ONE(row, other, vector)                                         \
  if (kVectors == vector + 1 && partial) {                                             \
    StorePartial(c##row##vector, d, task.out + row * task.out_stride + vector * lanes, \
                 task.last_lanes);                                                     \
  } else {                                                                             \
    hn::StoreU(c##row##vector, d, task.out + row * task.out_stride + vector * lanes);  \
  }
#define LOCKSTEP_STORE(row, other) LOCKSTEP_FOR_EACH_PAIRED_VECTOR(LOCKSTEP_STORE_ONE, row, other)

// Long because the accumulators have to stay in registers from start to store.
template <int kRows, int kVectors>
HWY_NOINLINE void ComputeShardTile(const ShardTileTask& task) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const bool partial = task.last_lanes != lanes;
  const auto zero = hn::Zero(d);
  LOCKSTEP_FOR_EACH_ROW(LOCKSTEP_DECLARE)
  HWY_MAYBE_UNUSED auto b0 = zero;
  HWY_MAYBE_UNUSED auto b1 = zero;
  HWY_MAYBE_UNUSED auto b2 = zero;
  const float* HWY_RESTRICT a = task.a;
  const float* HWY_RESTRICT b = task.b;
  const int64_t a_row_stride = task.a_row_stride, a_depth_stride = task.a_depth_stride;
  const int64_t b_stride = task.b_stride;
  float* top = task.stack;
  for (int shard = 0;;) {
    const bool pair = shard + 1 < task.shards;
    const int64_t left = task.cuts[shard + 1] - task.cuts[shard];
    const int64_t right = pair ? task.cuts[shard + 2] - task.cuts[shard + 1] : 0;
    const int64_t both = HWY_MIN(left, right);
    const float* HWY_RESTRICT right_a = a + left * a_depth_stride;
    const float* HWY_RESTRICT right_b = b + left * b_stride;
    for (int64_t k = both; k > 0; --k) {
      LOCKSTEP_LOAD_VECTORS(b)
      LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_LEFT)
      LOCKSTEP_LOAD_VECTORS(right_b)
      LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_RIGHT)
      a += a_depth_stride;
      b += b_stride;
      right_a += a_depth_stride;
      right_b += b_stride;
    }
    for (int64_t k = left - both; k > 0; --k, a += a_depth_stride, b += b_stride) {
      LOCKSTEP_LOAD_VECTORS(b)
      LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_LEFT)
    }
    for (int64_t k = right - both; k > 0; --k, right_a += a_depth_stride, right_b += b_stride) {
      LOCKSTEP_LOAD_VECTORS(right_b)
      LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_RIGHT)
    }
    a = right_a;
    b = right_b;
    // A left shard completes no node; the right one's first is the pair's.
    int folds = task.folds[shard];
    if (pair) {
      LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_JOIN)
      folds = task.folds[shard + 1] - 1;
    }
    for (; folds > 0; --folds) {
      top -= kRows * kVectors * lanes;
      LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_FOLD)
    }
    shard += pair ? 2 : 1;
    if (shard >= task.shards) break;
    LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_PUSH)
    top += kRows * kVectors * lanes;
    LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_ZERO)
  }
  LOCKSTEP_FOR_EACH_PAIR(LOCKSTEP_STORE)
}

#undef LOCKSTEP_STORE
#undef LOCKSTEP_STORE_ONE
#undef LOCKSTEP_ZERO
#undef LOCKSTEP_ZERO_ONE
#undef LOCKSTEP_PUSH
#undef LOCKSTEP_PUSH_ONE
#undef LOCKSTEP_FOLD
#undef LOCKSTEP_FOLD_ONE
#undef LOCKSTEP_JOIN
#undef LOCKSTEP_JOIN_ONE
#undef LOCKSTEP_RIGHT
#undef LOCKSTEP_RIGHT_ONE
#undef LOCKSTEP_LEFT
#undef LOCKSTEP_LEFT_ONE
#undef LOCKSTEP_LOAD_VECTORS
#undef LOCKSTEP_FOR_EACH_PAIRED_VECTOR
#undef LOCKSTEP_FOR_EACH_PAIR

template <int kRows = kShardTileRows, int kVectors = kTileVectors>
HWY_INLINE void ComputeShardTileOf(int64_t rows, int64_t vectors, const ShardTileTask& task) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return ComputeShardTileOf<kRows, kVectors - 1>(rows, vectors, task);
  }
  if constexpr (kRows > 1) {
    if (rows < kRows) return ComputeShardTileOf<kRows - 1, kVectors>(rows, vectors, task);
  }
  ComputeShardTile<kRows, kVectors>(task);
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
