// Packs operands into panels, in which what a register tile needs for one step
// of k lies together. Copies only: no arithmetic.
// Included once per target, by files that include hwy/foreach_target.h.
#if defined(LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_
#undef LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_
#else
#define LOCKSTEP_ENGINE_KERNELS_MATMUL_PACK_INL_H_
#endif

#include "engine/kernels/matmul_part.h"
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

// Rows [first, first + count) of A as panels of kRows rows, [depth][rows] each.
template <int kRows>
HWY_INLINE void PackRowPanels(const MatmulSource& source, int64_t first, int64_t count,
                              int64_t depth, float* panels) {
  if (source.depth_contiguous) {
    const float* in = source.data + first * source.stride;
    for (int64_t row = 0; row < count; row += kRows, in += kRows * source.stride) {
      const int64_t rows = count - row < kRows ? count - row : kRows;
      PackTransposed(in, source.stride, rows, depth, panels + row * depth, rows);
    }
    return;
  }
  // Some k at a time: a line of the source stays in the first cache for the next
  // panel, and a panel is written line after line. One k at a time would write
  // lines a power of two apart, which share a few places of the cache.
  constexpr int64_t kBlock = 16;
  const float* in = source.data + first;
  for (int64_t begin = 0; begin < depth; begin += kBlock, in += kBlock * source.stride) {
    const int64_t steps = depth - begin < kBlock ? depth - begin : kBlock;
    int64_t row = 0;
    for (; row + kRows <= count; row += kRows) {
      const float* from = in + row;
      float* out = panels + row * depth + begin * kRows;
      for (int64_t k = 0; k < steps; ++k, from += source.stride, out += kRows) {
        std::memcpy(out, from, kRows * sizeof(float));
      }
    }
    const int64_t left = count - row;
    float* out = panels + row * depth + begin * left;
    for (int64_t k = 0; k < steps; ++k) {
      for (int64_t i = 0; i < left; ++i) *out++ = in[k * source.stride + row + i];
    }
  }
}

// Columns [first, first + count) of B as one panel, [depth][count rounded up to
// whole vectors]. Missing columns of the last vector become zeros, so that no lane
// computes on garbage (which could be slow denormals).
HWY_INLINE void PackColumnPanel(const MatmulSource& source, int64_t first, int64_t count,
                                int64_t depth, int64_t lanes, float* out) {
  const int64_t width = (count + lanes - 1) / lanes * lanes;
  Pack(source, first, count, depth, out, width);
  if (count == width) return;
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t i = count; i < width; ++i) out[k * width + i] = 0.0f;
  }
}

// Asks for part `part` of `parts` of what PackColumnPanel will read, for the second
// cache: B's rows may lie far apart, where no prefetcher of the machine sees what
// comes next.
HWY_INLINE void PrefetchColumnPanel(const MatmulSource& source, int64_t first, int64_t count,
                                    int64_t depth, int64_t part, int64_t parts) {
  constexpr int64_t kLine = 16;
  const int64_t runs = source.depth_contiguous ? count : depth;
  const int64_t length = source.depth_contiguous ? depth : count;
  const float* from = source.data + first * (source.depth_contiguous ? source.stride : 1);
  for (int64_t run = runs * part / parts; run < runs * (part + 1) / parts; ++run) {
    const float* line = from + run * source.stride;
    for (int64_t i = 0; i < length; i += kLine) __builtin_prefetch(line + i, 0, 2);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
