// Packs operands into the panels of matmul_block.h. Copies only: no arithmetic.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_
#endif

#include "engine/kernels/matmul_block.h"
#include "engine/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// out[k][i] = in[i][k] for a 4 x 4 square.
HWY_INLINE void TransposeSquare(const float* in, int64_t in_stride, float* out,
                                int64_t out_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 4; ++k) out[k * out_stride + i] = in[i * in_stride + k];
  }
#else
  const hn::CappedTag<float, 4> d;
  const auto r0 = hn::LoadU(d, in);
  const auto r1 = hn::LoadU(d, in + in_stride);
  const auto r2 = hn::LoadU(d, in + 2 * in_stride);
  const auto r3 = hn::LoadU(d, in + 3 * in_stride);
  const auto low01 = hn::InterleaveLower(d, r0, r1);
  const auto low23 = hn::InterleaveLower(d, r2, r3);
  const auto high01 = hn::InterleaveUpper(d, r0, r1);
  const auto high23 = hn::InterleaveUpper(d, r2, r3);
  hn::StoreU(hn::ConcatLowerLower(d, low23, low01), d, out);
  hn::StoreU(hn::ConcatUpperUpper(d, low23, low01), d, out + out_stride);
  hn::StoreU(hn::ConcatLowerLower(d, high23, high01), d, out + 2 * out_stride);
  hn::StoreU(hn::ConcatUpperUpper(d, high23, high01), d, out + 3 * out_stride);
#endif
}

// out[k][i] = in[i][k], i < count, k < depth; the rest of out's width is left.
// Squares that would overhang are moved back over what is written already.
HWY_INLINE void PackTransposed(const float* in, int64_t in_stride, int64_t count, int64_t depth,
                               float* out, int64_t width) {
  if (count < 4 || depth < 4) {
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t k = 0; k < depth; ++k) out[k * width + i] = in[i * in_stride + k];
    }
    return;
  }
  constexpr int64_t kLine = 16;  // one cache line of every row at a time
  for (int64_t line = 0; line < depth; line += kLine) {
    const int64_t line_end = line + kLine < depth ? line + kLine : depth;
    for (int64_t i = 0; i < count; i += 4) {
      const int64_t row = i + 4 <= count ? i : count - 4;
      for (int64_t k = line; k < line_end; k += 4) {
        const int64_t column = k + 4 <= depth ? k : depth - 4;
        TransposeSquare(in + row * in_stride + column, in_stride, out + column * width + row,
                        width);
      }
    }
  }
}

// out[k][i] = in[k][i].
HWY_INLINE void PackStraight(const float* in, int64_t in_stride, int64_t count, int64_t depth,
                             float* out, int64_t width) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < depth; ++k, in += in_stride, out += width) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) hn::StoreU(hn::LoadU(d, in + i), d, out + i);
    if (i < count) StorePartial(LoadPartial(d, in + i, count - i), d, out + i, count - i);
  }
}

HWY_INLINE void Pack(const MatmulSource& source, int64_t first, int64_t count, int64_t depth,
                     float* out, int64_t width) {
  if (source.depth_contiguous) {
    PackTransposed(source.data + first * source.stride, source.stride, count, depth, out, width);
  } else {
    PackStraight(source.data + first, source.stride, count, depth, out, width);
  }
}

// Row panel `panel` of A. A last panel's missing rows are not written: its
// tiles do not read them.
HWY_INLINE void PackRowPanel(const MatmulBlock& block, int64_t tile_rows, int64_t panel) {
  const int64_t first = panel * tile_rows;
  const int64_t count = block.rows - first < tile_rows ? block.rows - first : tile_rows;
  Pack(block.a_source, first, count, block.depth, block.a_panels + first * block.depth, tile_rows);
}

// Column panel `panel` of B. Missing columns of the last vector become zeros, so
// that no lane computes on garbage (which could be slow denormals).
HWY_INLINE void PackColumnPanel(const MatmulBlock& block, int64_t tile_columns, int64_t lanes,
                                int64_t panel) {
  const int64_t first = panel * tile_columns;
  const int64_t left = block.columns - first;
  const int64_t count = left < tile_columns ? left : tile_columns;
  const int64_t width = (count + lanes - 1) / lanes * lanes;
  float* out = block.b_panels + first * block.depth;
  Pack(block.b_source, first, count, block.depth, out, width);
  if (count == width) return;
  for (int64_t k = 0; k < block.depth; ++k) {
    for (int64_t i = count; i < width; ++i) out[k * width + i] = 0.0f;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
