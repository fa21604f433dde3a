#include "engine/kernels/recurrent.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/recurrent.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/matmul_pack-inl.h"
#include "engine/kernels/strided_tile-inl.h"
#include "engine/kernels/transcendental-inl.h"
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

#ifndef LOCKSTEP_ENGINE_KERNELS_RECURRENT_RUN_
#define LOCKSTEP_ENGINE_KERNELS_RECURRENT_RUN_
namespace lockstep::kernels {

// What a thread computes: examples [begin, end) through all times.
struct RecurrentRun {
  RecurrentExtents extents;
  int64_t begin = 0;
  int64_t end = 0;
  const float* panels = nullptr;  // the weight, packed
  const float* bias = nullptr;
  const float* input = nullptr;
  float* output = nullptr;
  float* saved_gates = nullptr;
  float* saved_state = nullptr;
  float* scratch = nullptr;
};

struct RecurrentGradientRun {
  RecurrentExtents extents;
  int64_t begin = 0;
  int64_t end = 0;
  const float* panels = nullptr;
  const float* output = nullptr;
  const float* saved_gates = nullptr;
  const float* saved_state = nullptr;
  const float* dout = nullptr;
  float* dinput = nullptr;
  float* drecurrent = nullptr;
  float* scratch = nullptr;
};

}  // namespace lockstep::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

HWY_INLINE int64_t PanelColumns() {
  return kStridedVectors * static_cast<int64_t>(hn::Lanes(FloatTag()));
}

void CountPanelColumns(int64_t columns, int64_t& padded) {
  padded = (columns + PanelColumns() - 1) / PanelColumns() * PanelColumns();
}

// Panels [depth][PanelColumns()] of a [depth, columns] matrix, or of the
// transpose of a [columns, depth] one; missing columns become +0.
void PackWeight(const float* weight, bool transposed, int64_t depth, int64_t columns,
                float* panels) {
  const int64_t width = PanelColumns();
  MatmulSource source;
  source.data = weight;
  source.stride = transposed ? depth : columns;
  source.depth_contiguous = transposed;
  for (int64_t first = 0; first < columns; first += width, panels += width * depth) {
    const int64_t count = HWY_MIN(width, columns - first);
    Pack(source, first, count, depth, panels, width);
    if (count == width) continue;
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t i = count; i < width; ++i) panels[k * width + i] = 0.0f;
    }
  }
}

// out[row][column] = chain over k of a[row * a_stride + k] * panels.
HWY_INLINE void MultiplyPanels(int64_t rows, int64_t columns, int64_t depth, const float* a,
                               int64_t a_stride, const float* panels, float* out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FloatTag()));
  StridedTileTask task;
  task.a_row_stride = a_stride;
  task.a_depth_stride = 1;
  task.b_stride = PanelColumns();
  task.depth = depth;
  task.out_stride = columns;
  for (int64_t j = 0; j < columns; j += PanelColumns()) {
    const int64_t count = HWY_MIN(PanelColumns(), columns - j);
    const int64_t vectors = (count + lanes - 1) / lanes;
    task.b = panels + j * depth;
    task.last_lanes = count - (vectors - 1) * lanes;
    for (int64_t r = 0; r < rows; r += kStridedRows) {
      task.a = a + r * a_stride;
      task.out = out + r * columns + j;
      ComputeStridedTileOf(HWY_MIN(kStridedRows, rows - r), vectors, task);
    }
  }
}

HWY_INLINE FloatVector LoadUpTo(const float* from, int64_t left) {
  const FloatTag d;
  return left >= static_cast<int64_t>(hn::Lanes(d)) ? hn::LoadU(d, from)
                                                    : LoadPartial(d, from, left);
}

HWY_INLINE void StoreUpTo(FloatVector v, float* to, int64_t left) {
  const FloatTag d;
  if (left >= static_cast<int64_t>(hn::Lanes(d))) return hn::StoreU(v, d, to);
  StorePartial(v, d, to, left);
}

// r + bias, where there is one.
HWY_INLINE FloatVector WithBias(const float* r, const float* bias, int64_t at, int64_t left) {
  const FloatVector x = LoadUpTo(r + at, left);
  return bias == nullptr ? x : hn::Add(x, LoadUpTo(bias + at, left));
}

// One example's cell at one time. `cell` is LSTM's c, in place; `before` is
// y[t-1]; the saved are null where they are not wanted.
HWY_INLINE void ComputeLstmCell(int64_t h, const float* x, const float* r, const float* bias,
                                float* cell, float* y, float* gates, float* state) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t u = 0; u < h; u += lanes) {
    const int64_t left = h - u;
    const auto sum = [&](int64_t at) HWY_ATTR {
      return hn::Add(LoadUpTo(x + at, left), WithBias(r, bias, at, left));
    };
    const FloatVector i = SigmoidOf(d, sum(u));
    const FloatVector f = SigmoidOf(d, sum(h + u));
    const FloatVector g = TanhOf(d, sum(2 * h + u));
    const FloatVector o = SigmoidOf(d, sum(3 * h + u));
    const FloatVector c = Fma(f, LoadUpTo(cell + u, left), hn::Mul(i, g));
    StoreUpTo(c, cell + u, left);
    StoreUpTo(hn::Mul(o, TanhOf(d, c)), y + u, left);
    if (gates == nullptr) continue;
    StoreUpTo(i, gates + u, left);
    StoreUpTo(f, gates + h + u, left);
    StoreUpTo(g, gates + 2 * h + u, left);
    StoreUpTo(o, gates + 3 * h + u, left);
    StoreUpTo(c, state + u, left);
  }
}

HWY_INLINE void ComputeGruCell(int64_t h, const float* x, const float* product, const float* bias,
                               const float* before, float* y, float* gates, float* state) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t u = 0; u < h; u += lanes) {
    const int64_t left = h - u;
    const auto sum = [&](int64_t at) HWY_ATTR {
      return hn::Add(LoadUpTo(x + at, left), WithBias(product, bias, at, left));
    };
    const FloatVector r = SigmoidOf(d, sum(u));
    const FloatVector z = SigmoidOf(d, sum(h + u));
    const FloatVector recurrent = WithBias(product, bias, 2 * h + u, left);
    const FloatVector n = TanhOf(d, Fma(r, recurrent, LoadUpTo(x + 2 * h + u, left)));
    StoreUpTo(Fma(z, hn::Sub(LoadUpTo(before + u, left), n), n), y + u, left);
    if (gates == nullptr) continue;
    StoreUpTo(r, gates + u, left);
    StoreUpTo(z, gates + h + u, left);
    StoreUpTo(n, gates + 2 * h + u, left);
    StoreUpTo(recurrent, state + u, left);
  }
}

// Scratch: products [rows][gates * h], cells [rows][h], zeros [h].
void RunRecurrent(const RecurrentRun& run) {
  const RecurrentExtents& e = run.extents;
  const int64_t h = e.hidden, width = e.gates() * h, rows = run.end - run.begin;
  float* products = run.scratch;
  float* cells = products + rows * width;
  float* zeros = cells + rows * h;
  for (int64_t i = 0; i < (rows + 1) * h; ++i) cells[i] = 0.0f;
  for (int64_t t = 0; t < e.times; ++t) {
    const float* before = t == 0 ? zeros : run.output + (run.begin * e.times + t - 1) * h;
    const int64_t before_stride = t == 0 ? 0 : e.times * h;
    MultiplyPanels(rows, width, h, before, before_stride, run.panels, products);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t at = (run.begin + row) * e.times + t;
      float* gates = run.saved_gates == nullptr ? nullptr : run.saved_gates + at * width;
      float* state = run.saved_gates == nullptr ? nullptr : run.saved_state + at * h;
      const float* x = run.input + at * width;
      const float* product = products + row * width;
      if (e.cell == RecurrentCell::kLstm) {
        ComputeLstmCell(h, x, product, run.bias, cells + row * h, run.output + at * h, gates,
                        state);
      } else {
        ComputeGruCell(h, x, product, run.bias, before + row * before_stride, run.output + at * h,
                       gates, state);
      }
    }
  }
}

HWY_INLINE FloatVector SigmoidSlope(FloatVector s) {
  return hn::Mul(s, hn::Sub(hn::Set(FloatTag(), 1.0f), s));
}
HWY_INLINE FloatVector TanhSlope(FloatVector w) {
  return Fma(hn::Neg(w), w, hn::Set(FloatTag(), 1.0f));
}

// `carried` (null at the last time) is what came from t + 1; `dcell` is LSTM's
// dc, in place.
HWY_INLINE void ComputeLstmGradient(int64_t h, const float* dout, const float* carried,
                                    const float* gates, const float* state, const float* before,
                                    float* dcell, float* dx) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t u = 0; u < h; u += lanes) {
    const int64_t left = h - u;
    FloatVector dy = LoadUpTo(dout + u, left);
    if (carried != nullptr) dy = hn::Add(dy, LoadUpTo(carried + u, left));
    const FloatVector i = LoadUpTo(gates + u, left);
    const FloatVector f = LoadUpTo(gates + h + u, left);
    const FloatVector g = LoadUpTo(gates + 2 * h + u, left);
    const FloatVector o = LoadUpTo(gates + 3 * h + u, left);
    const FloatVector w = TanhOf(d, LoadUpTo(state + u, left));
    const FloatVector dc = Fma(hn::Mul(dy, o), TanhSlope(w), LoadUpTo(dcell + u, left));
    StoreUpTo(hn::Mul(hn::Mul(dc, g), SigmoidSlope(i)), dx + u, left);
    StoreUpTo(hn::Mul(hn::Mul(dc, LoadUpTo(before + u, left)), SigmoidSlope(f)), dx + h + u, left);
    StoreUpTo(hn::Mul(hn::Mul(dc, i), TanhSlope(g)), dx + 2 * h + u, left);
    StoreUpTo(hn::Mul(hn::Mul(dy, w), SigmoidSlope(o)), dx + 3 * h + u, left);
    StoreUpTo(hn::Mul(dc, f), dcell + u, left);
  }
}

// `past` gets what reaches y[t-1] past the gates.
HWY_INLINE void ComputeGruGradient(int64_t h, const float* dout, const float* carried,
                                   const float* gates, const float* state, const float* before,
                                   float* past, float* dx, float* dr) {
  const FloatTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t u = 0; u < h; u += lanes) {
    const int64_t left = h - u;
    FloatVector dy = LoadUpTo(dout + u, left);
    if (carried != nullptr) dy = hn::Add(dy, LoadUpTo(carried + u, left));
    const FloatVector r = LoadUpTo(gates + u, left);
    const FloatVector z = LoadUpTo(gates + h + u, left);
    const FloatVector n = LoadUpTo(gates + 2 * h + u, left);
    const FloatVector dn = hn::Mul(hn::Mul(dy, hn::Sub(hn::Set(d, 1.0f), z)), TanhSlope(n));
    const FloatVector dreset = hn::Mul(hn::Mul(dn, LoadUpTo(state + u, left)), SigmoidSlope(r));
    const FloatVector dupdate =
        hn::Mul(hn::Mul(dy, hn::Sub(LoadUpTo(before + u, left), n)), SigmoidSlope(z));
    StoreUpTo(dreset, dx + u, left);
    StoreUpTo(dupdate, dx + h + u, left);
    StoreUpTo(dn, dx + 2 * h + u, left);
    StoreUpTo(dreset, dr + u, left);
    StoreUpTo(dupdate, dr + h + u, left);
    StoreUpTo(hn::Mul(dn, r), dr + 2 * h + u, left);
    StoreUpTo(hn::Mul(dy, z), past + u, left);
  }
}

// Scratch: carried [rows][h], dcell [rows][h], zeros [h].
void RunRecurrentGradient(const RecurrentGradientRun& run) {
  const RecurrentExtents& e = run.extents;
  const bool lstm = e.cell == RecurrentCell::kLstm;
  const int64_t h = e.hidden, width = e.gates() * h, rows = run.end - run.begin;
  float* carried = run.scratch;
  float* dcell = carried + rows * h;
  float* zeros = dcell + rows * h;
  for (int64_t i = 0; i < (rows + 1) * h; ++i) dcell[i] = 0.0f;
  const float* states = lstm ? run.saved_state : run.output;
  float* gradients = lstm ? run.dinput : run.drecurrent;
  for (int64_t t = e.times - 1; t >= 0; --t) {
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t at = (run.begin + row) * e.times + t;
      const float* from_next = t + 1 == e.times ? nullptr : carried + row * h;
      const float* before = t == 0 ? zeros : states + (at - 1) * h;
      const float* gates = run.saved_gates + at * width;
      if (lstm) {
        ComputeLstmGradient(h, run.dout + at * h, from_next, gates, run.saved_state + at * h,
                            before, dcell + row * h, run.dinput + at * width);
      } else {
        ComputeGruGradient(h, run.dout + at * h, from_next, gates, run.saved_state + at * h, before,
                           dcell + row * h, run.dinput + at * width, run.drecurrent + at * width);
      }
    }
    if (t == 0) break;
    MultiplyPanels(rows, h, width, gradients + (run.begin * e.times + t) * width, e.times * width,
                   run.panels, carried);
    if (lstm) continue;
    Map(rows * h, carried, dcell, carried,
        [](FloatVector a, FloatVector b) HWY_ATTR { return hn::Add(a, b); });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cstring>

#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
HWY_EXPORT(CountPanelColumns);
HWY_EXPORT(PackWeight);
HWY_EXPORT(RunRecurrent);
HWY_EXPORT(RunRecurrentGradient);
namespace {

// Below so many multiply-adds a second thread costs more than it brings.
constexpr int64_t kMultiplyAddsPerThread = 256 * 1024;

// The weight as panels, for the calling thread and its team.
const float* Packed(const float* weight, bool transposed, int64_t depth, int64_t columns) {
  static thread_local AlignedBuffer buffer;
  int64_t padded = 0;
  HWY_DYNAMIC_DISPATCH(CountPanelColumns)(columns, padded);
  float* panels = buffer.Reserve(padded * depth);
  HWY_DYNAMIC_DISPATCH(PackWeight)(weight, transposed, depth, columns, panels);
  return panels;
}

float* Scratch(int64_t floats) {
  static thread_local AlignedBuffer buffer;
  return buffer.Reserve(floats);
}

// Calls run(begin, end) on runs of examples.
template <class F>
void ForExamples(const RecurrentExtents& e, const F& run) {
  const int64_t each = std::max<int64_t>(1, e.times * e.hidden * e.hidden * e.gates());
  ParallelRuns(e.examples, std::max<int64_t>(1, kMultiplyAddsPerThread / each), 1, run);
}

}  // namespace

void Recurrent(const RecurrentExtents& e, const float* input, const float* weight,
               const float* bias, float* output, float* saved_gates, float* saved_state) {
  const int64_t width = e.gates() * e.hidden;
  const float* panels = Packed(weight, /*transposed=*/true, e.hidden, width);
  ForExamples(e, [&](int64_t begin, int64_t end) {
    RecurrentRun run;
    run.extents = e;
    run.begin = begin;
    run.end = end;
    run.panels = panels;
    run.bias = bias;
    run.input = input;
    run.output = output;
    run.saved_gates = saved_gates;
    run.saved_state = saved_state;
    run.scratch = Scratch((end - begin) * (width + e.hidden) + e.hidden);
    HWY_DYNAMIC_DISPATCH(RunRecurrent)(run);
  });
}

void RecurrentBackward(const RecurrentExtents& e, const float* weight, const float* output,
                       const float* saved_gates, const float* saved_state, const float* dout,
                       float* dinput, float* drecurrent) {
  if (e.examples == 0 || e.times == 0) return;
  LOCKSTEP_CHECK(e.cell == RecurrentCell::kLstm || drecurrent != nullptr,
                 "the gradient of a GRU needs memory for drecurrent");
  const int64_t width = e.gates() * e.hidden;
  const float* panels = Packed(weight, /*transposed=*/false, width, e.hidden);
  ForExamples(e, [&](int64_t begin, int64_t end) {
    RecurrentGradientRun run;
    run.extents = e;
    run.begin = begin;
    run.end = end;
    run.panels = panels;
    run.output = output;
    run.saved_gates = saved_gates;
    run.saved_state = saved_state;
    run.dout = dout;
    run.dinput = dinput;
    run.drecurrent = drecurrent;
    run.scratch = Scratch((end - begin) * 2 * e.hidden + e.hidden);
    HWY_DYNAMIC_DISPATCH(RunRecurrentGradient)(run);
  });
  if (e.cell != RecurrentCell::kLstm || drecurrent == nullptr) return;
  std::memcpy(drecurrent, dinput, e.examples * e.times * width * sizeof(float));
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
