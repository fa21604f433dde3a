// Speed of attention, forward alone and with its gradient ("flops" is per second,
// of the products alone: 2 forward and 5 backward, causal ones half), and of a
// training pass through a layer built of it and through LSTM and GRU.
//
//   bazel run -c opt //bench:attention_benchmark
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <vector>

#include "engine/kernels/attention.h"
#include "engine/nn/multihead_attention.h"
#include "engine/nn/recurrent.h"
#include "engine/nn/transformer_block.h"

namespace lockstep::kernels {
namespace {

std::vector<float> Numbers(int64_t size) {
  std::vector<float> numbers(size);
  uint32_t state = 1;
  for (float& x : numbers) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  return numbers;
}

// Arguments: examples, heads, positions, head_dim, causal, with gradient, threads.
void BM_Attention(benchmark::State& state) {
  AttentionExtents e;
  e.examples = state.range(0);
  e.heads = state.range(1);
  e.positions = state.range(2);
  e.head_dim = state.range(3);
  e.causal = state.range(4) != 0;
  const bool gradient = state.range(5) != 0;
  omp_set_num_threads(static_cast<int>(state.range(6)));
  const int64_t size = e.examples * e.heads * e.positions * e.head_dim;
  const std::vector<float> qkv = Numbers(size * 3), dout = Numbers(size);
  std::vector<float> out(size), dqkv(size * 3);
  std::vector<float> statistics(e.examples * e.heads * e.positions * 2);
  for (auto _ : state) {
    Attention(e, {}, qkv.data(), out.data(), statistics.data());
    if (gradient) {
      AttentionBackward(e, {}, qkv.data(), out.data(), statistics.data(), dout.data(), dqkv.data());
    }
    benchmark::ClobberMemory();
  }
  const double product = 2.0 * static_cast<double>(size * e.positions) / (e.causal ? 2 : 1);
  state.counters["flops"] = benchmark::Counter(product * (gradient ? 7 : 2),
                                               benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
}

BENCHMARK(BM_Attention)
    ->ArgNames({"n", "heads", "t", "head_dim", "causal", "gradient", "threads"})
    ->ArgsProduct({{16}, {4}, {128}, {32}, {1}, {0, 1}, {1, 2}})
    ->ArgsProduct({{2}, {4}, {1024}, {64}, {0, 1}, {1}, {1, 2}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

// Forward and backward, parameters' and input's gradients.
void TrainThrough(benchmark::State& state, nn::Module& module, const Shape& shape, int threads) {
  omp_set_num_threads(threads);
  module.Initialize(/*key=*/1);
  const std::vector<float> numbers = Numbers(shape.element_count());
  const autograd::Variable x(Tensor::FromVector(shape, numbers), /*requires_grad=*/true);
  const Tensor upstream = Tensor::Full(shape, 0.01);
  for (auto _ : state) {
    module.Forward(x).Backward(upstream, {/*overwrite_leaf_gradients=*/true});
    benchmark::ClobberMemory();
  }
}

void BM_MultiheadAttention(benchmark::State& state) {
  nn::MultiheadAttention module(128, 4,
                                {/*causal=*/true, /*bias=*/true, /*rotary_base=*/0,
                                 /*dropout=*/0});
  TrainThrough(state, module, {16, 128, 128}, static_cast<int>(state.range(0)));
}

void BM_TransformerBlock(benchmark::State& state) {
  nn::TransformerBlock module(128, 4, {});
  TrainThrough(state, module, {16, 128, 128}, static_cast<int>(state.range(0)));
}

void BM_Lstm(benchmark::State& state) {
  nn::LSTM module(128, 128);
  TrainThrough(state, module, {32, 64, 128}, static_cast<int>(state.range(0)));
}

void BM_Gru(benchmark::State& state) {
  nn::GRU module(128, 128);
  TrainThrough(state, module, {32, 64, 128}, static_cast<int>(state.range(0)));
}

void Threads(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond)->UseRealTime();
}

BENCHMARK(BM_MultiheadAttention)->Apply(Threads);
BENCHMARK(BM_TransformerBlock)->Apply(Threads);
BENCHMARK(BM_Lstm)->Apply(Threads);
BENCHMARK(BM_Gru)->Apply(Threads);

}  // namespace
}  // namespace lockstep::kernels

BENCHMARK_MAIN();
