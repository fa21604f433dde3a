#include "engine/kernels/strided_copy.h"

#include <algorithm>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
namespace {

struct Axis {
  int64_t extent = 1;
  int64_t from = 0;  // strides
  int64_t to = 0;
};
using Axes = absl::InlinedVector<Axis, 6>;

// The same copy by the fewest axes: those of one element left out, neighbours
// joined where both layouts go through them as through one.
Axes Joined(absl::Span<const int64_t> extents, absl::Span<const int64_t> from_strides,
            absl::Span<const int64_t> to_strides) {
  Axes axes;
  for (size_t i = 0; i < extents.size(); ++i) {
    const Axis axis = {extents[i], from_strides[i], to_strides[i]};
    if (axis.extent == 1) continue;
    if (!axes.empty() && axes.back().from == axis.from * axis.extent &&
        axes.back().to == axis.to * axis.extent) {
      axes.back() = {axes.back().extent * axis.extent, axis.from, axis.to};
    } else {
      axes.push_back(axis);
    }
  }
  return axes;
}

// Takes the last two axes off: rows and columns of what is copied at once. Of
// the others any may be the row; best is one whose elements lie side by side in
// `from` where the columns' do not.
struct Block {
  Axis rows, columns;
};

Block TakeBlock(Axes& axes) {
  Block block;
  if (axes.empty()) return block;
  block.columns = axes.back();
  axes.pop_back();
  if (axes.empty()) return block;
  auto row = axes.end() - 1;
  if (block.columns.from != 1) {
    const auto beside =
        std::find_if(axes.begin(), axes.end(), [](const Axis& axis) { return axis.from == 1; });
    if (beside != axes.end()) row = beside;
  }
  block.rows = *row;
  axes.erase(row);
  return block;
}

// Tiles of this many elements squared: a cache line of either layout is used
// up while it is at hand.
constexpr int64_t kTile = 16;

template <class T>
void CopyRow(const Axis& columns, const T* from, T* to) {
  if (columns.from == 1 && columns.to == 1) {
    std::memcpy(to, from, columns.extent * sizeof(T));
  } else {
    for (int64_t c = 0; c < columns.extent; ++c) to[c * columns.to] = from[c * columns.from];
  }
}

// Rows [begin, end) of the block.
template <class T>
void CopyBlock(const Block& block, int64_t begin, int64_t end, const T* from, T* to) {
  const Axis& rows = block.rows;
  if (rows.from != 1 || block.columns.from == 1) {
    for (int64_t r = begin; r < end; ++r) {
      CopyRow(block.columns, from + r * rows.from, to + r * rows.to);
    }
    return;
  }
  for (int64_t tile = begin; tile < end; tile += kTile) {
    const int64_t tile_end = std::min(end, tile + kTile);
    for (int64_t c = 0; c < block.columns.extent; c += kTile) {
      Axis columns = block.columns;
      columns.extent = std::min(kTile, columns.extent - c);
      for (int64_t r = tile; r < tile_end; ++r) {
        CopyRow(columns, from + r * rows.from + c * columns.from,
                to + r * rows.to + c * columns.to);
      }
    }
  }
}

template <class T>
void Copy(absl::Span<const int64_t> extents, const T* from, absl::Span<const int64_t> from_strides,
          T* to, absl::Span<const int64_t> to_strides) {
  if (std::find(extents.begin(), extents.end(), 0) != extents.end()) return;
  Axes outer = Joined(extents, from_strides, to_strides);
  const Block block = TakeBlock(outer);
  int64_t blocks = 1;
  for (const Axis& axis : outer) blocks *= axis.extent;
  const int64_t rows = block.rows.extent;
  // A run takes rows [begin, end) of all blocks' rows, one block after another.
  ParallelRows(blocks * rows, block.columns.extent, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      int64_t index = begin / rows;
      const int64_t first = begin - index * rows;
      const int64_t last = std::min(rows, first + end - begin);
      int64_t from_offset = 0, to_offset = 0;
      for (auto axis = outer.rbegin(); axis != outer.rend(); ++axis) {
        from_offset += index % axis->extent * axis->from;
        to_offset += index % axis->extent * axis->to;
        index /= axis->extent;
      }
      CopyBlock(block, first, last, from + from_offset, to + to_offset);
      begin += last - first;
    }
  });
}

}  // namespace

void StridedCopy(absl::Span<const int64_t> extents, const float* from,
                 absl::Span<const int64_t> from_strides, float* to,
                 absl::Span<const int64_t> to_strides) {
  Copy(extents, from, from_strides, to, to_strides);
}
void StridedCopy(absl::Span<const int64_t> extents, const double* from,
                 absl::Span<const int64_t> from_strides, double* to,
                 absl::Span<const int64_t> to_strides) {
  Copy(extents, from, from_strides, to, to_strides);
}
void StridedCopy(absl::Span<const int64_t> extents, const int64_t* from,
                 absl::Span<const int64_t> from_strides, int64_t* to,
                 absl::Span<const int64_t> to_strides) {
  Copy(extents, from, from_strides, to, to_strides);
}

}  // namespace lockstep::kernels
