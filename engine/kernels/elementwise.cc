#include "engine/kernels/elementwise.h"

#include <limits>

#include "engine/kernels/elementwise_operands.h"
#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/elementwise.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/transcendental-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

void UnaryRun(UnaryOp op, int64_t size, const float* x, float* out) {
  const FloatTag d;
  using V = FloatVector;
  switch (op) {
    case UnaryOp::kNegate:
      return Map(size, x, out, [](V v) HWY_ATTR { return hn::Neg(v); });
    case UnaryOp::kAbsolute:
      return Map(size, x, out, [](V v) HWY_ATTR { return hn::Abs(v); });
    case UnaryOp::kSquare:
      return Map(size, x, out, [](V v) HWY_ATTR { return hn::Mul(v, v); });
    case UnaryOp::kSquareRoot:
      return Map(size, x, out, [](V v) HWY_ATTR { return hn::Sqrt(v); });
    case UnaryOp::kReciprocalSquareRoot:
      return Map(size, x, out,
                 [d](V v) HWY_ATTR { return hn::Div(hn::Set(d, 1.0f), hn::Sqrt(v)); });
    case UnaryOp::kSign:
      return Map(size, x, out, [d](V v) HWY_ATTR {
        const V zero = hn::Zero(d);
        const V below = hn::IfThenElse(hn::Lt(v, zero), hn::Set(d, -1.0f), v);
        return hn::IfThenElse(hn::Gt(v, zero), hn::Set(d, 1.0f), below);
      });
    case UnaryOp::kExp:
      return Map(size, x, out, [d](V v) HWY_ATTR { return ExpOf(d, v); });
    case UnaryOp::kExpm1:
      return Map(size, x, out, [d](V v) HWY_ATTR { return Expm1Of(d, v); });
    case UnaryOp::kLog:
      return Map(size, x, out, [d](V v) HWY_ATTR { return LogOf(d, v); });
    case UnaryOp::kLog1p:
      return Map(size, x, out, [d](V v) HWY_ATTR { return Log1pOf(d, v); });
    case UnaryOp::kSin:
      return Map(size, x, out, [d](V v) HWY_ATTR { return SinOf(d, v); });
    case UnaryOp::kCos:
      return Map(size, x, out, [d](V v) HWY_ATTR { return CosOf(d, v); });
    case UnaryOp::kErf:
      return Map(size, x, out, [d](V v) HWY_ATTR { return ErfOf(d, v); });
    case UnaryOp::kTanh:
      return Map(size, x, out, [d](V v) HWY_ATTR { return TanhOf(d, v); });
    case UnaryOp::kSigmoid:
      return Map(size, x, out, [d](V v) HWY_ATTR { return SigmoidOf(d, v); });
    case UnaryOp::kRelu:
      return Map(size, x, out,
                 [d](V v) HWY_ATTR { return hn::IfThenZeroElse(hn::Le(v, hn::Zero(d)), v); });
  }
}

// One row of f over two operands, either of which may be one number.
template <class F>
HWY_INLINE void MapRow(BinaryOperands operands, int64_t size, const float* a, const float* b,
                       float* out, bool streaming, const F& f) {
  const FloatTag d;
  using V = FloatVector;
  if (operands == BinaryOperands::kScalarLeft) {
    const V left = hn::Set(d, *a);
    MapStreaming(size, b, out, streaming, [&](V v) HWY_ATTR { return f(left, v); });
  } else if (operands == BinaryOperands::kScalarRight || operands == BinaryOperands::kColumn) {
    const V right = hn::Set(d, *b);
    MapStreaming(size, a, out, streaming, [&](V v) HWY_ATTR { return f(v, right); });
  } else {
    MapStreaming(size, a, b, out, streaming, f);
  }
}

template <class F>
HWY_INLINE void MapRows(BinaryOperands operands, int64_t rows, int64_t columns, const float* a,
                        const float* b, float* out, const F& f) {
  const bool streaming = out != a && out != b && ShouldStreamRows(rows, columns, out);
  for (int64_t r = 0; r < rows; ++r) {
    const float* right = operands == BinaryOperands::kColumn ? b + r : b;
    MapRow(operands, columns, a + r * columns, right, out + r * columns, streaming, f);
  }
  if (streaming) hwy::FlushStream();
}

template <class V>
HWY_INLINE V PowerOfPairs(V a, V b) {
  const FloatTag d;
  const V zero = hn::Zero(d);
  const V power = ExpOf(d, hn::Mul(b, LogOf(d, hn::Abs(a))));
  const V half = hn::Mul(b, hn::Set(d, 0.5f));
  const V sign_of_odd = hn::IfThenElse(hn::Eq(half, hn::Floor(half)), power, hn::Neg(power));
  const V below = hn::IfThenElse(hn::Eq(b, hn::Floor(b)), sign_of_odd,
                                 hn::Set(d, std::numeric_limits<float>::quiet_NaN()));
  const V value = hn::IfThenElse(hn::Lt(a, zero), below, power);
  return hn::IfThenElse(hn::Eq(b, zero), hn::Set(d, 1.0f), value);
}

void BinaryRun(BinaryOp op, BinaryOperands operands, int64_t rows, int64_t columns, const float* a,
               const float* b, float* out) {
  using V = FloatVector;
  switch (op) {
    case BinaryOp::kAdd:
      return MapRows(operands, rows, columns, a, b, out,
                     [](V x, V y) HWY_ATTR { return hn::Add(x, y); });
    case BinaryOp::kSubtract:
      return MapRows(operands, rows, columns, a, b, out,
                     [](V x, V y) HWY_ATTR { return hn::Sub(x, y); });
    case BinaryOp::kMultiply:
      return MapRows(operands, rows, columns, a, b, out,
                     [](V x, V y) HWY_ATTR { return hn::Mul(x, y); });
    case BinaryOp::kDivide:
      return MapRows(operands, rows, columns, a, b, out,
                     [](V x, V y) HWY_ATTR { return hn::Div(x, y); });
    case BinaryOp::kMaximum:
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Gt(x, y), hn::IsNaN(x)), x, y);
      });
    case BinaryOp::kMinimum:
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenElse(hn::Or(hn::Lt(x, y), hn::IsNaN(x)), x, y);
      });
    case BinaryOp::kEqual:
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenElseZero(hn::Eq(x, y), hn::Set(FloatTag(), 1.0f));
      });
    case BinaryOp::kNotEqual:
      // Not Ne: whether a NaN differs from itself there depends on the machine.
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenZeroElse(hn::Eq(x, y), hn::Set(FloatTag(), 1.0f));
      });
    case BinaryOp::kLess:
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenElseZero(hn::Lt(x, y), hn::Set(FloatTag(), 1.0f));
      });
    case BinaryOp::kLessEqual:
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenElseZero(hn::Le(x, y), hn::Set(FloatTag(), 1.0f));
      });
    case BinaryOp::kGreater:
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenElseZero(hn::Gt(x, y), hn::Set(FloatTag(), 1.0f));
      });
    case BinaryOp::kGreaterEqual:
      return MapRows(operands, rows, columns, a, b, out, [](V x, V y) HWY_ATTR {
        return hn::IfThenElseZero(hn::Ge(x, y), hn::Set(FloatTag(), 1.0f));
      });
    case BinaryOp::kPower:
      return MapRows(operands, rows, columns, a, b, out,
                     [](V x, V y) HWY_ATTR { return PowerOfPairs(x, y); });
  }
}

void SelectRun(int64_t size, const float* condition, const float* a, bool a_repeats, const float* b,
               bool b_repeats, float* out) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  // Of a number that repeats, a vector of it; the pointer then stays.
  const auto load = [d](const float* from, bool repeats, int64_t i)
                        HWY_ATTR { return repeats ? hn::Set(d, *from) : hn::LoadU(d, from + i); };
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto other = hn::Eq(hn::LoadU(d, condition + i), hn::Zero(d));
    hn::StoreU(hn::IfThenElse(other, load(b, b_repeats, i), load(a, a_repeats, i)), d, out + i);
  }
  for (; i < size; ++i) out[i] = condition[i] != 0 ? a[a_repeats ? 0 : i] : b[b_repeats ? 0 : i];
}

void ActivationBackwardRun(ActivationGradient op, int64_t size, const float* dy, const float* y,
                           float* out) {
  const FloatTag d;
  using V = FloatVector;
  switch (op) {
    case ActivationGradient::kRelu:
      return Map(size, dy, y, out,
                 [d](V g, V v) HWY_ATTR { return hn::IfThenZeroElse(hn::Le(v, hn::Zero(d)), g); });
    case ActivationGradient::kTanh:
      return Map(size, dy, y, out, [d](V g, V v) HWY_ATTR {
        return hn::Mul(g, Fma(hn::Neg(v), v, hn::Set(d, 1.0f)));
      });
    case ActivationGradient::kSigmoid:
      return Map(size, dy, y, out, [d](V g, V v) HWY_ATTR {
        return hn::Mul(hn::Mul(g, v), hn::Sub(hn::Set(d, 1.0f), v));
      });
  }
}

// x^exponent by the bits of a whole exponent, lowest first.
void WholePowerRun(int64_t size, const float* x, int exponent, float* out) {
  const FloatTag d;
  using V = FloatVector;
  Map(size, x, out, [d, exponent](V v) HWY_ATTR {
    V product = hn::Set(d, 1.0f);
    for (int left = exponent < 0 ? -exponent : exponent; left != 0; left >>= 1) {
      if (left & 1) product = hn::Mul(product, v);
      v = hn::Mul(v, v);
    }
    return exponent < 0 ? hn::Div(hn::Set(d, 1.0f), product) : product;
  });
}

void RealPowerRun(int64_t size, const float* x, float exponent, float* out) {
  const FloatTag d;
  using V = FloatVector;
  const V factor = hn::Set(d, exponent);
  Map(size, x, out, [&](V v) HWY_ATTR { return ExpOf(d, hn::Mul(factor, LogOf(d, v))); });
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(UnaryRun);
HWY_EXPORT(BinaryRun);
HWY_EXPORT(SelectRun);
HWY_EXPORT(ActivationBackwardRun);
HWY_EXPORT(WholePowerRun);
HWY_EXPORT(RealPowerRun);

void Unary(UnaryOp op, int64_t size, const float* x, float* out) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(UnaryRun)(op, end - begin, x + begin, out + begin);
  });
}

void Binary(BinaryOp op, int64_t size, const float* a, const float* b, float* out) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(BinaryRun)
    (op, BinaryOperands::kElements, 1, end - begin, a + begin, b + begin, out + begin);
  });
}

void BinaryScalarRight(BinaryOp op, int64_t size, const float* a, float s, float* out) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(BinaryRun)
    (op, BinaryOperands::kScalarRight, 1, end - begin, a + begin, &s, out + begin);
  });
}

void BinaryScalarLeft(BinaryOp op, int64_t size, float s, const float* b, float* out) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(BinaryRun)
    (op, BinaryOperands::kScalarLeft, 1, end - begin, &s, b + begin, out + begin);
  });
}

void BinaryRow(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* row,
               float* out) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(BinaryRun)
    (op, BinaryOperands::kRow, end - begin, columns, a + begin * columns, row,
     out + begin * columns);
  });
}

void BinaryColumn(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* column,
                  float* out) {
  ParallelRows(rows, columns, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(BinaryRun)
    (op, BinaryOperands::kColumn, end - begin, columns, a + begin * columns, column + begin,
     out + begin * columns);
  });
}

void Select(int64_t size, const float* condition, const float* a, bool a_repeats, const float* b,
            bool b_repeats, float* out) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(SelectRun)
    (end - begin, condition + begin, a_repeats ? a : a + begin, a_repeats,
     b_repeats ? b : b + begin, b_repeats, out + begin);
  });
}

void ActivationBackward(ActivationGradient op, int64_t size, const float* dy, const float* y,
                        float* out) {
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(ActivationBackwardRun)
    (op, end - begin, dy + begin, y + begin, out + begin);
  });
}

void Power(int64_t size, const float* x, float exponent, float* out) {
  if (exponent == 0.5f) return Unary(UnaryOp::kSquareRoot, size, x, out);
  const bool whole = exponent >= -64.0f && exponent <= 64.0f &&
                     exponent == static_cast<float>(static_cast<int>(exponent));
  ParallelElements(size, [=](int64_t begin, int64_t end) {
    if (whole) {
      HWY_DYNAMIC_DISPATCH(WholePowerRun)
      (end - begin, x + begin, static_cast<int>(exponent), out + begin);
    } else {
      HWY_DYNAMIC_DISPATCH(RealPowerRun)(end - begin, x + begin, exponent, out + begin);
    }
  });
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
