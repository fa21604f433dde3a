// Rows of a table looked up by index, with gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_EMBEDDING_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_EMBEDDING_OPS_H_

#include <cstdint>

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// No entry is left out of the gradient.
inline constexpr int64_t kNoPadding = -1;

// table[indices]. Shapes: indices [...] int64, table [entries, width], result
// [..., width]. The entry `padding_index` gets gradient +0 whoever looks it up.
// Aborts where an index is not in [0, entries), naming it.
// Order: kernels::Embedding. Shard cuts: the table's gradient follows the tree
// over the first axis of `indices`.
Variable Embedding(const Tensor& indices, const Variable& table,
                   int64_t padding_index = kNoPadding);

// x + table[0 .. length), the same rows for every example: a learned position.
// Shapes: x [n, length, width], table [context, width], length <= context.
// Order: one addition per element; the table's gradient is the sum over the
// examples of x's, by SumColumnsShardTree, and +0 from row `length` on.
Variable AddPositions(const Variable& x, const Variable& table);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_EMBEDDING_OPS_H_
