// What the graph itself costs: operations on single numbers, so small that
// their arithmetic is nothing beside the making, going through and freeing of
// their nodes. The times are per operation.
#include "benchmark/benchmark.h"
#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/linear_ops.h"
#include "engine/autograd/variable.h"

namespace lockstep::autograd {
namespace {

void CountPerOperation(benchmark::State& state, int64_t operations) {
  state.counters["per_operation"] =
      benchmark::Counter(static_cast<double>(operations * state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

Variable Chain(const Variable& x, int64_t operations) {
  Variable y = x;
  for (int64_t i = 0; i < operations; ++i) y = y * x;
  return y;
}

void BM_ForwardWithoutGraph(benchmark::State& state) {
  const Variable x(1.0f, /*requires_grad=*/true);
  NoGradGuard guard;
  for (auto _ : state) benchmark::DoNotOptimize(Chain(x, state.range(0)));
  CountPerOperation(state, state.range(0));
}
BENCHMARK(BM_ForwardWithoutGraph)->Arg(1000);

void BM_Forward(benchmark::State& state) {
  const Variable x(1.0f, /*requires_grad=*/true);
  for (auto _ : state) benchmark::DoNotOptimize(Chain(x, state.range(0)));
  CountPerOperation(state, state.range(0));
}
BENCHMARK(BM_Forward)->Arg(1000);

void BM_ForwardAndBackward(benchmark::State& state) {
  Variable x(1.0f, /*requires_grad=*/true);
  for (auto _ : state) {
    Chain(x, state.range(0)).Backward();
    x.ZeroGrad();
  }
  CountPerOperation(state, state.range(0));
}
BENCHMARK(BM_ForwardAndBackward)->Arg(10)->Arg(1000)->Arg(100000);

// One neuron after another, as a small network's step.
void BM_LinearTanhStep(benchmark::State& state) {
  const Variable x(Tensor::Full({1, 8}, 0.5));
  Variable weight(Tensor::Full({8, 8}, 0.1), true), bias(Tensor::Zeros({8}), true);
  const Tensor upstream = Tensor::Full({1, 8}, 1);
  for (auto _ : state) {
    Variable y = x;
    for (int64_t i = 0; i < state.range(0); ++i) y = Tanh(Linear(y, weight, bias));
    y.Backward(upstream, {/*overwrite_leaf_gradients=*/true});
  }
  CountPerOperation(state, 2 * state.range(0));
}
BENCHMARK(BM_LinearTanhStep)->Arg(100);

}  // namespace
}  // namespace lockstep::autograd

BENCHMARK_MAIN();
