#include "engine/kernels/pointwise_loss.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/pointwise_loss.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/reduce-inl.h"
#include "engine/kernels/transcendental-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// One struct per loss: Loss and Derivative of vectors x and t.

struct AbsoluteLoss {
  float p;
  HWY_INLINE FloatVector Loss(FloatVector x, FloatVector t) const { return hn::Abs(hn::Sub(x, t)); }
  HWY_INLINE FloatVector Derivative(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector e = hn::Sub(x, t), zero = hn::Zero(d);
    const FloatVector below = hn::IfThenElse(hn::Lt(e, zero), hn::Set(d, -1.0f), e);
    return hn::IfThenElse(hn::Gt(e, zero), hn::Set(d, 1.0f), below);
  }
};

struct HuberLoss {
  float p;
  HWY_INLINE FloatVector Loss(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector e = hn::Sub(x, t), a = hn::Abs(e), delta = hn::Set(d, p);
    const FloatVector half = hn::Set(d, 0.5f);
    const FloatVector line = hn::Mul(delta, hn::Sub(a, hn::Mul(half, delta)));
    return hn::IfThenElse(hn::Gt(a, delta), line, hn::Mul(half, hn::Mul(e, e)));
  }
  HWY_INLINE FloatVector Derivative(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector e = hn::Sub(x, t), delta = hn::Set(d, p);
    return hn::IfThenElse(hn::Gt(hn::Abs(e), delta), hn::CopySign(delta, e), e);
  }
};

struct BinaryCrossEntropyLoss {
  float p;
  HWY_INLINE FloatVector NotBelow(float least, FloatVector v) const {
    const FloatTag d;
    return hn::IfThenElse(hn::Lt(v, hn::Set(d, least)), hn::Set(d, least), v);
  }
  HWY_INLINE FloatVector Loss(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector one = hn::Set(d, 1.0f);
    const FloatVector log_x = NotBelow(-100.0f, LogOf(d, x));
    const FloatVector log_rest = NotBelow(-100.0f, LogOf(d, hn::Sub(one, x)));
    return hn::Sub(hn::Mul(hn::Sub(t, one), log_rest), hn::Mul(t, log_x));
  }
  HWY_INLINE FloatVector Derivative(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector product = hn::Mul(hn::Sub(hn::Set(d, 1.0f), x), x);
    return hn::Div(hn::Sub(x, t), NotBelow(1e-12f, product));
  }
};

struct BinaryCrossEntropyWithLogitsLoss {
  float p;
  HWY_INLINE FloatVector Loss(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector one = hn::Set(d, 1.0f), zero = hn::Zero(d);
    const FloatVector e = ExpOf(d, hn::Neg(hn::Abs(x)));
    const FloatVector s = hn::Add(one, e);
    const FloatVector lost = hn::Div(hn::Sub(e, hn::Sub(s, one)), s);
    const FloatVector g = hn::Add(LogOf(d, s), lost);
    const FloatVector h = hn::Add(g, hn::IfThenElse(hn::Lt(x, zero), hn::Neg(x), zero));
    const FloatVector k = hn::Add(g, hn::IfThenElse(hn::Gt(x, zero), x, zero));
    return Fma(hn::Mul(hn::Set(d, p), t), h, hn::Mul(hn::Sub(one, t), k));
  }
  HWY_INLINE FloatVector Derivative(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector rest = hn::Mul(hn::Sub(hn::Set(d, 1.0f), t), SigmoidOf(d, x));
    return Fma(hn::Neg(hn::Mul(hn::Set(d, p), t)), SigmoidOf(d, hn::Neg(x)), rest);
  }
};

struct HingeLoss {
  float p;
  HWY_INLINE FloatVector Sign(FloatVector t) const {
    const FloatTag d;
    return hn::IfThenElse(hn::Gt(t, hn::Zero(d)), hn::Set(d, 1.0f), hn::Set(d, -1.0f));
  }
  HWY_INLINE FloatVector Margin(FloatVector x, FloatVector y) const {
    const FloatTag d;
    return hn::Sub(hn::Set(d, 1.0f), hn::Mul(y, x));
  }
  HWY_INLINE FloatVector Loss(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector m = Margin(x, Sign(t));
    return hn::IfThenElse(hn::Le(m, hn::Zero(d)), hn::Zero(d), m);
  }
  HWY_INLINE FloatVector Derivative(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector y = Sign(t);
    return hn::IfThenElse(hn::Le(Margin(x, y), hn::Zero(d)), hn::Zero(d), hn::Neg(y));
  }
};

struct KullbackLeiblerLoss {
  float p;
  HWY_INLINE FloatVector Loss(FloatVector x, FloatVector t) const {
    const FloatTag d;
    const FloatVector l = hn::Mul(t, hn::Sub(LogOf(d, t), x));
    return hn::IfThenElse(hn::Eq(t, hn::Zero(d)), hn::Zero(d), l);
  }
  HWY_INLINE FloatVector Derivative(FloatVector, FloatVector t) const { return hn::Neg(t); }
};

template <class F>
void LossRows(const F f, int64_t rows, int64_t columns, const float* x, const float* targets,
              float* losses, float* scratch) {
  for (int64_t r = 0; r < rows; ++r) {
    Map(columns, x + r * columns, targets + r * columns, scratch,
        [f](FloatVector a, FloatVector b) HWY_ATTR { return f.Loss(a, b); });
    losses[r] = SumRow(columns, scratch);
  }
}

template <class F>
void DerivativeRows(const F f, int64_t rows, int64_t columns, const float* x, const float* targets,
                    const float* scale, float* dx) {
  const FloatTag d;
  for (int64_t r = 0; r < rows; ++r) {
    const FloatVector s = hn::Set(d, scale[r]);
    Map(columns, x + r * columns, targets + r * columns, dx + r * columns,
        [&](FloatVector a, FloatVector b) HWY_ATTR { return hn::Mul(f.Derivative(a, b), s); });
  }
}

// Calls visit(the op's struct).
template <class V>
HWY_INLINE void VisitLoss(PointwiseLossOp op, float p, const V& visit) {
  switch (op) {
    case PointwiseLossOp::kAbsolute:
      return visit(AbsoluteLoss{p});
    case PointwiseLossOp::kHuber:
      return visit(HuberLoss{p});
    case PointwiseLossOp::kBinaryCrossEntropy:
      return visit(BinaryCrossEntropyLoss{p});
    case PointwiseLossOp::kBinaryCrossEntropyWithLogits:
      return visit(BinaryCrossEntropyWithLogitsLoss{p});
    case PointwiseLossOp::kHinge:
      return visit(HingeLoss{p});
    case PointwiseLossOp::kKullbackLeibler:
      return visit(KullbackLeiblerLoss{p});
  }
}

void PointwiseLossRun(PointwiseLossOp op, int64_t rows, int64_t columns, float p, const float* x,
                      const float* targets, float* losses, float* scratch) {
  VisitLoss(op, p, [&](auto f) { LossRows(f, rows, columns, x, targets, losses, scratch); });
}

void PointwiseLossBackwardRun(PointwiseLossOp op, int64_t rows, int64_t columns, float p,
                              const float* x, const float* targets, const float* scale, float* dx) {
  VisitLoss(op, p, [&](auto f) { DerivativeRows(f, rows, columns, x, targets, scale, dx); });
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/reference/losses.h"

namespace lockstep::kernels {
HWY_EXPORT(PointwiseLossRun);
HWY_EXPORT(PointwiseLossBackwardRun);

void PointwiseLoss(PointwiseLossOp op, int64_t rows, int64_t columns, float parameter,
                   const float* x, const float* targets, float* losses) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    static thread_local AlignedBuffer buffer;
    HWY_DYNAMIC_DISPATCH(PointwiseLossRun)
    (op, end - begin, columns, parameter, x + begin * columns, targets + begin * columns,
     losses + begin, buffer.Reserve(columns));
  });
}

void PointwiseLoss(PointwiseLossOp op, int64_t rows, int64_t columns, double parameter,
                   const double* x, const double* targets, double* losses) {
  reference::PointwiseLoss(op, rows, columns, parameter, x, targets, losses);
}

void PointwiseLossBackward(PointwiseLossOp op, int64_t rows, int64_t columns, float parameter,
                           const float* x, const float* targets, const float* scale, float* dx) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(PointwiseLossBackwardRun)
    (op, end - begin, columns, parameter, x + begin * columns, targets + begin * columns,
     scale + begin, dx + begin * columns);
  });
}

void PointwiseLossBackward(PointwiseLossOp op, int64_t rows, int64_t columns, double parameter,
                           const double* x, const double* targets, const double* scale,
                           double* dx) {
  reference::PointwiseLossBackward(op, rows, columns, parameter, x, targets, scale, dx);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
