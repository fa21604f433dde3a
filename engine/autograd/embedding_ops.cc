#include "engine/autograd/embedding_ops.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/embedding.h"
#include "engine/kernels/reduce.h"

namespace lockstep::autograd {
namespace {

void CheckIndices(const Tensor& indices, int64_t entries) {
  LOCKSTEP_CHECK(
      indices.dtype() == DType::kInt64,
      absl::StrCat("embedding: got ", DTypeName(indices.dtype()), " indices, want int64"));
  for (int64_t index : indices.span<int64_t>()) {
    LOCKSTEP_CHECK(index >= 0 && index < entries,
                   absl::StrCat("embedding: got index ", index, ", want 0 to ", entries - 1));
  }
}

}  // namespace

Variable Embedding(const Tensor& indices, const Variable& table, int64_t padding_index) {
  LOCKSTEP_CHECK(table.rank() == 2,
                 absl::StrCat("embedding: got a table of shape ", table.shape().ToString(),
                              ", want [entries, width]"));
  const int64_t entries = table.dim(0), width = table.dim(1);
  CheckIndices(indices, entries);
  const Tensor rows = table.value();
  PooledVector<int64_t> shape = indices.shape().extents();
  shape.push_back(width);
  Tensor y = Tensor::Empty(Shape(std::move(shape)), rows.dtype());
  VisitFloating("embedding", rows.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::Embedding(indices.element_count(), width, indices.data<int64_t>(), rows.data<T>(),
                       y.data<T>());
  });
  PooledVector<int64_t> cuts = RowCuts(ShardCuts::Current(), indices.element_count());
  return MakeResult("embedding", y, {table},
                    [indices, cuts = std::move(cuts), entries, width, padding_index](
                        const Tensor& upstream, InputGradients& gradients) {
                      Tensor dtable = gradients.Destination(0);
                      VisitFloating("embedding", upstream.dtype(), [&](auto zero) {
                        using T = decltype(zero);
                        kernels::EmbeddingBackward(entries, width, cuts, indices.data<int64_t>(),
                                                   padding_index, upstream.data<T>(),
                                                   dtable.data<T>());
                      });
                      gradients.Add(0, dtable);
                    });
}

Variable AddPositions(const Variable& x, const Variable& table) {
  const bool fits =
      x.rank() == 3 && table.rank() == 2 && x.dim(2) == table.dim(1) && x.dim(1) <= table.dim(0);
  LOCKSTEP_CHECK(fits, absl::StrCat("positions: input ", x.shape().ToString(),
                                    " does not fit table ", table.shape().ToString(),
                                    ", want [n, length, width] and [context, width]"));
  const int64_t examples = x.dim(0);
  const int64_t used = x.dim(1) * x.dim(2);
  const Tensor input = x.value(), rows = table.value();
  Tensor y = Tensor::Empty(x.shape(), input.dtype());
  VisitFloating("positions", input.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::BinaryRow(kernels::BinaryOp::kAdd, examples, used, input.data<T>(), rows.data<T>(),
                       y.data<T>());
  });
  PooledVector<int64_t> cuts = RowCuts(ShardCuts::Current(), examples);
  return MakeResult(
      "positions", y, {x, table},
      [used, cuts = std::move(cuts)](const Tensor& upstream, InputGradients& gradients) {
        if (gradients.Wanted(1)) {
          Tensor dtable = gradients.Destination(1);
          VisitFloating("positions", upstream.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::SumColumnsShardTree(used, cuts, upstream.data<T>(), dtable.data<T>());
            std::fill(dtable.data<T>() + used, dtable.data<T>() + dtable.element_count(), T{0});
          });
          gradients.Add(1, dtable);
        }
        if (gradients.Wanted(0)) gradients.Add(0, upstream);
      });
}

}  // namespace lockstep::autograd
