#include "engine/autograd/batched_matmul_ops.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/autograd/node.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/check.h"
#include "engine/kernels/batched_matmul.h"

namespace lockstep::autograd {
namespace {

Shape LeadingAxes(const Shape& shape) {
  return Shape(std::vector<int64_t>(shape.extents().begin(), shape.extents().end() - 2));
}

Shape WithMatrix(const Shape& leading, int64_t rows, int64_t columns) {
  std::vector<int64_t> extents = leading.extents();
  extents.push_back(rows);
  extents.push_back(columns);
  return Shape(std::move(extents));
}

// One operand's matrices, one for each product or one for all of them.
struct Matrices {
  Tensor values;
  Shape shape;  // the operand's own
  bool shared = false;
  std::vector<int64_t> batch_cuts;  // for the sum over what was repeated

  Matrices(const Variable& operand, const Shape& leading) : shape(operand.shape()) {
    const Shape own = LeadingAxes(shape);
    shared = own.element_count() == 1 && leading.element_count() != 1;
    const bool repeated = own != leading;
    values = repeated && !shared
                 ? ExpandTensor(operand.value(), WithMatrix(leading, shape.dim(-2), shape.dim(-1)))
                 : operand.value();
    const auto cuts = ShardCuts::Current();
    if (cuts == nullptr || leading.rank() == 0) return;
    const bool over_batch = own.rank() < leading.rank() || own.dim(0) != leading.dim(0);
    if (!over_batch) return;
    if (leading.dim(0) == cuts->back()) {
      batch_cuts = *cuts;
    } else {
      ShardCuts::MarkUnsupported();
    }
  }

  template <class T>
  kernels::BatchedOperandOf<T> Operand(bool transposed) const {
    return {{values.data<T>(), transposed}, shared ? 0 : shape.dim(-2) * shape.dim(-1)};
  }
};

struct Products {
  Matrices a, b;
  Shape leading;
  int64_t m = 0, n = 0, k = 0;
  int64_t batch() const { return leading.element_count(); }
};

template <class T>
void Multiply(const Products& p, Tensor y) {
  if (p.b.shared && !p.a.shared) {  // all rows of a at once
    kernels::Matmul(p.batch() * p.m, p.n, p.k, {p.a.values.template data<T>(), false},
                    {p.b.values.template data<T>(), false}, nullptr, kernels::Activation::kNone,
                    y.data<T>());
    return;
  }
  kernels::BatchedMatmul(p.batch(), p.m, p.n, p.k, p.a.template Operand<T>(false),
                         p.b.template Operand<T>(false), y.data<T>());
}

// dA = dY B^T.
template <class T>
Tensor LeftGradient(const Products& p, const Tensor& dy) {
  Tensor da = Tensor::Empty(WithMatrix(p.leading, p.m, p.k), dy.dtype());
  kernels::BatchedMatmul(p.batch(), p.m, p.k, p.n, {{dy.data<T>(), false}, p.m * p.n},
                         p.b.template Operand<T>(true), da.data<T>());
  return da.shape() == p.a.shape ? da : SumToShape(da, p.a.shape, p.a.batch_cuts);
}

// dB = A^T dY.
template <class T>
Tensor RightGradient(const Products& p, const Tensor& dy) {
  if (p.b.shared && !p.a.shared) {
    const int64_t rows = p.batch() * p.m;
    std::vector<int64_t> cuts = p.b.batch_cuts;
    for (int64_t& cut : cuts) cut *= rows / std::max<int64_t>(1, p.leading.dim(0));
    if (cuts.empty()) cuts = {0, rows};
    Tensor db = Tensor::Empty(p.b.shape, dy.dtype());
    kernels::MatmulShardTree(p.k, p.n, cuts, p.a.values.template data<T>(), dy.data<T>(),
                             db.data<T>());
    return db;
  }
  Tensor db = Tensor::Empty(WithMatrix(p.leading, p.k, p.n), dy.dtype());
  kernels::BatchedMatmul(p.batch(), p.k, p.n, p.m, p.a.template Operand<T>(true),
                         {{dy.data<T>(), false}, p.m * p.n}, db.data<T>());
  return db.shape() == p.b.shape ? db : SumToShape(db, p.b.shape, p.b.batch_cuts);
}

}  // namespace

Variable BatchMatmul(const Variable& a, const Variable& b) {
  LOCKSTEP_CHECK(
      a.rank() >= 2 && b.rank() >= 2 && a.dim(-1) == b.dim(-2),
      absl::StrCat("matmul: shapes ", a.shape().ToString(), " and ", b.shape().ToString(),
                   " do not fit, want [..., m, k] and [..., k, n]"));
  const Shape leading = BroadcastShapes("matmul", LeadingAxes(a.shape()), LeadingAxes(b.shape()));
  const DType dtype = CommonDType("matmul", a.value(), b.value());
  Products products{
      Matrices(a, leading), Matrices(b, leading), leading, a.dim(-2), b.dim(-1), a.dim(-1)};
  Tensor y = Tensor::Empty(WithMatrix(leading, products.m, products.n), dtype);
  VisitFloating("matmul", dtype, [&](auto zero) { Multiply<decltype(zero)>(products, y); });
  return MakeResult("batch_matmul", y, {a, b},
                    [p = std::move(products)](const Tensor& upstream, InputGradients& gradients) {
                      VisitFloating("matmul", upstream.dtype(), [&](auto zero) {
                        using T = decltype(zero);
                        if (gradients.Wanted(0)) gradients.Add(0, LeftGradient<T>(p, upstream));
                        if (gradients.Wanted(1)) gradients.Add(1, RightGradient<T>(p, upstream));
                      });
                    });
}

}  // namespace lockstep::autograd
