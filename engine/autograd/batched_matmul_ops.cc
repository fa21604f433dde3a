#include "engine/autograd/batched_matmul_ops.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/autograd/expand_ops.h"
#include "engine/autograd/node.h"
#include "engine/autograd/reduction_ops.h"
#include "engine/autograd/shape_ops.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/block_pool.h"
#include "engine/check.h"
#include "engine/kernels/batched_matmul.h"

namespace lockstep::autograd {
namespace {

Shape LeadingAxes(const Shape& shape) {
  return Shape(PooledVector<int64_t>(shape.extents().begin(), shape.extents().end() - 2));
}

Shape WithMatrix(const Shape& leading, int64_t rows, int64_t columns) {
  PooledVector<int64_t> extents = leading.extents();
  extents.push_back(rows);
  extents.push_back(columns);
  return Shape(std::move(extents));
}

// One operand's matrices, one for each product or one for all of them.
struct Matrices {
  Tensor values;
  Shape shape;              // the operand's own
  bool transposed = false;  // the products take them so
  bool shared = false;
  PooledVector<int64_t> batch_cuts;  // for the sum over what was repeated

  Matrices(const Variable& operand, bool transposed, const Shape& leading)
      : shape(operand.shape()), transposed(transposed) {
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
  kernels::BatchedOperandOf<T> Operand() const {
    return {{values.data<T>(), transposed}, shared ? 0 : shape.dim(-2) * shape.dim(-1)};
  }
  // The transpose of what the products take.
  template <class T>
  kernels::BatchedOperandOf<T> Transposed() const {
    kernels::BatchedOperandOf<T> operand = Operand<T>();
    operand.first.transposed = !transposed;
    return operand;
  }
};

struct Products {
  Matrices a, b;
  Shape leading;
  int64_t m = 0, n = 0, k = 0;
  int64_t batch() const { return leading.element_count(); }
  // Whether all rows of a go through one b, as one product.
  bool one_product() const { return b.shared && !a.shared && !a.transposed; }
};

template <class T>
void Multiply(const Products& p, Tensor y) {
  if (p.one_product()) {
    kernels::Matmul(p.batch() * p.m, p.n, p.k, p.a.template Operand<T>().first,
                    p.b.template Operand<T>().first, nullptr, kernels::Activation::kNone,
                    y.data<T>());
    return;
  }
  kernels::BatchedMatmul(p.batch(), p.m, p.n, p.k, p.a.template Operand<T>(),
                         p.b.template Operand<T>(), y.data<T>());
}

Tensor BackToShape(const Tensor& gradient, const Matrices& operand) {
  if (gradient.shape() == operand.shape) return gradient;
  return SumToShape(gradient, operand.shape, operand.batch_cuts);
}

// With A and B the operands as the products take them:
// dA = dY B^T, or its transpose B dY^T.
template <class T>
Tensor LeftGradient(const Products& p, const Tensor& dy) {
  Tensor da =
      Tensor::Empty(WithMatrix(p.leading, p.a.shape.dim(-2), p.a.shape.dim(-1)), dy.dtype());
  const T* rows = dy.data<T>();
  if (p.a.transposed) {
    kernels::BatchedMatmul(p.batch(), p.k, p.m, p.n, p.b.template Operand<T>(),
                           {{rows, true}, p.m * p.n}, da.data<T>());
  } else {
    kernels::BatchedMatmul(p.batch(), p.m, p.k, p.n, {{rows, false}, p.m * p.n},
                           p.b.template Transposed<T>(), da.data<T>());
  }
  return BackToShape(da, p.a);
}

// The gradient of the b of one_product(): a weight's.
template <class T>
Tensor SharedRightGradient(const Products& p, const Tensor& dy) {
  const int64_t rows = p.batch() * p.m;
  PooledVector<int64_t> cuts = p.b.batch_cuts;
  for (int64_t& cut : cuts) cut *= rows / std::max<int64_t>(1, p.leading.dim(0));
  if (cuts.empty()) cuts = {0, rows};
  Tensor db = Tensor::Empty(p.b.shape, dy.dtype());
  const T* x = p.a.values.template data<T>();
  if (p.b.transposed) {
    kernels::MatmulShardTree(p.n, p.k, cuts, dy.data<T>(), x, db.data<T>());
  } else {
    kernels::MatmulShardTree(p.k, p.n, cuts, x, dy.data<T>(), db.data<T>());
  }
  return db;
}

// dB = A^T dY, or its transpose dY^T A.
template <class T>
Tensor RightGradient(const Products& p, const Tensor& dy) {
  if (p.one_product()) return SharedRightGradient<T>(p, dy);
  Tensor db =
      Tensor::Empty(WithMatrix(p.leading, p.b.shape.dim(-2), p.b.shape.dim(-1)), dy.dtype());
  const T* rows = dy.data<T>();
  if (p.b.transposed) {
    kernels::BatchedMatmul(p.batch(), p.n, p.k, p.m, {{rows, true}, p.m * p.n},
                           p.a.template Operand<T>(), db.data<T>());
  } else {
    kernels::BatchedMatmul(p.batch(), p.k, p.n, p.m, p.a.template Transposed<T>(),
                           {{rows, false}, p.m * p.n}, db.data<T>());
  }
  return BackToShape(db, p.b);
}

Variable BackToShape(const Variable& gradient, const Matrices& operand) {
  if (gradient.shape() == operand.shape) return gradient;
  return SumToShape(gradient, operand.shape, operand.batch_cuts);
}

struct BatchMatmulGradient {
  void operator()(const Tensor& upstream, InputGradients& gradients) const {
    VisitFloating("matmul", upstream.dtype(), [&](auto zero) {
      using T = decltype(zero);
      if (gradients.Wanted(0)) gradients.Add(0, LeftGradient<T>(p, upstream));
      if (gradients.Wanted(1)) gradients.Add(1, RightGradient<T>(p, upstream));
    });
  }
  void operator()(const Variable& dy, GraphGradients& gradients) const {
    const bool ta = p.a.transposed, tb = p.b.transposed;
    if (gradients.Wanted(0)) {
      const Variable right = gradients.Input(1, b);
      gradients.Add(0, BackToShape(ta ? BatchMatmul(right, dy, {tb, true})
                                      : BatchMatmul(dy, right, {false, !tb}),
                                   p.a));
    }
    if (gradients.Wanted(1)) {
      const Variable left = gradients.Input(0, a);
      gradients.Add(1, BackToShape(tb ? BatchMatmul(dy, left, {true, ta})
                                      : BatchMatmul(left, dy, {!ta, false}),
                                   p.b));
    }
  }

  Products p;
  Tensor a, b;
};

}  // namespace

Variable BatchMatmul(const Variable& a, const Variable& b, MatmulTransposes transposes) {
  const bool matrices = a.rank() >= 2 && b.rank() >= 2;
  LOCKSTEP_CHECK(
      matrices && a.dim(transposes.a ? -2 : -1) == b.dim(transposes.b ? -1 : -2),
      absl::StrCat("matmul: shapes ", a.shape().ToString(), transposes.a ? " transposed" : "",
                   " and ", b.shape().ToString(), transposes.b ? " transposed" : "",
                   " do not fit, want [..., m, k] and [..., k, n]"));
  const Shape leading = BroadcastShapes("matmul", LeadingAxes(a.shape()), LeadingAxes(b.shape()));
  const DType dtype = CommonDType("matmul", a.value(), b.value());
  Products products{Matrices(a, transposes.a, leading),
                    Matrices(b, transposes.b, leading),
                    leading,
                    a.dim(transposes.a ? -1 : -2),
                    b.dim(transposes.b ? -2 : -1),
                    a.dim(transposes.a ? -2 : -1)};
  if (products.a.transposed && products.b.shared) {
    // A transposed operand's rows do not lie one after another, which a shared
    // weight's gradient goes by.
    return BatchMatmul(Transpose(a, -1, -2), b, {false, transposes.b});
  }
  Tensor y = Tensor::Empty(WithMatrix(leading, products.m, products.n), dtype);
  VisitFloating("matmul", dtype, [&](auto zero) { Multiply<decltype(zero)>(products, y); });
  return MakeResult("batch_matmul", y, {a, b},
                    BatchMatmulGradient{std::move(products), a.value(), b.value()});
}

}  // namespace lockstep::autograd
