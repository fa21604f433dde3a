// The extents and windows of two-dimensional pooling.
#ifndef LOCKSTEP_ENGINE_KERNELS_POOLING_SHAPE_H_
#define LOCKSTEP_ENGINE_KERNELS_POOLING_SHAPE_H_

#include <algorithm>
#include <cstdint>

namespace lockstep::kernels {

// Elements [begin, end) of one axis that a window sees.
struct PoolingWindow {
  int64_t begin = 0;
  int64_t end = 0;
};

// One axis. Fixed windows: kernel, stride >= 1, 0 <= padding <= kernel / 2.
// Adaptive ones: `out` windows that cover the axis, [floor(i in / out),
// ceil((i + 1) in / out)), as in PyTorch; kernel 0.
struct PoolingAxis {
  int64_t in = 1;
  int64_t out = 1;
  int64_t kernel = 0;
  int64_t stride = 1;
  int64_t padding = 0;

  static PoolingAxis Fixed(int64_t in, int64_t kernel, int64_t stride, int64_t padding) {
    const int64_t room = in + 2 * padding - kernel;
    return {in, room < 0 ? 0 : room / stride + 1, kernel, stride, padding};
  }
  static PoolingAxis Adaptive(int64_t in, int64_t out) { return {in, out, 0, 1, 0}; }

  PoolingWindow Window(int64_t i) const {
    if (kernel == 0) return {i * in / out, ((i + 1) * in + out - 1) / out};
    const int64_t begin = i * stride - padding;
    return {std::max<int64_t>(begin, 0), std::min(begin + kernel, in)};
  }
};

struct PoolingShape {
  int64_t planes = 0;  // examples times channels
  PoolingAxis rows;
  PoolingAxis columns;
  // Average: divide by the whole kernel also where it overlaps the padding.
  bool count_padding = true;

  int64_t InPlane() const { return rows.in * columns.in; }
  int64_t OutPlane() const { return rows.out * columns.out; }
  // One window that is the whole plane.
  bool Global() const {
    const PoolingWindow row = rows.Window(0), column = columns.Window(0);
    return OutPlane() == 1 && row.end - row.begin == rows.in &&
           column.end - column.begin == columns.in;
  }
  // What an average is divided by.
  int64_t Divisor(const PoolingWindow& row, const PoolingWindow& column) const {
    if (count_padding && rows.kernel != 0) return rows.kernel * columns.kernel;
    return (row.end - row.begin) * (column.end - column.begin);
  }
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_POOLING_SHAPE_H_
