// Speed of attention, forward alone and with its gradient ("flops" is per second,
// of the products alone: 2 forward and 5 backward, causal ones half), and of a
// training pass through a layer built of it and through LSTM and GRU.
// bench/peer_kernels.py has the same names for PyTorch's times of attention, lstm
// and gru.
//
//   bazel run -c opt //bench:attention_benchmark
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <memory>
#include <string>
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

struct AttentionCase {
  AttentionExtents extents;
  bool gradient = false;
  int threads = 1;
};

void BenchmarkAttention(benchmark::State& state, const AttentionCase& c) {
  const AttentionExtents& e = c.extents;
  omp_set_num_threads(c.threads);
  const int64_t size = e.examples * e.heads * e.positions * e.head_dim;
  const std::vector<float> qkv = Numbers(size * 3), dout = Numbers(size);
  std::vector<float> out(size), dqkv(size * 3);
  std::vector<float> statistics(e.examples * e.heads * e.positions * 2);
  for (auto _ : state) {
    Attention(e, {}, qkv.data(), out.data(), statistics.data());
    if (c.gradient) {
      AttentionBackward(e, {}, qkv.data(), out.data(), statistics.data(), dout.data(), dqkv.data());
    }
    benchmark::ClobberMemory();
  }
  const double product = 2.0 * static_cast<double>(size * e.positions) / (e.causal ? 2 : 1);
  state.counters["flops"] = benchmark::Counter(product * (c.gradient ? 7 : 2),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

void RegisterAttention(const AttentionExtents& e, int threads) {
  for (const bool gradient : {false, true}) {
    const std::string name = std::string(e.causal ? "attention/" : "full_attention/") +
                             std::to_string(e.examples) + "x" + std::to_string(e.heads) + "x" +
                             std::to_string(e.positions) + "x" + std::to_string(e.head_dim) +
                             (gradient ? "/training" : "/forward") +
                             "/threads:" + std::to_string(threads);
    const AttentionCase c{e, gradient, threads};
    benchmark::RegisterBenchmark(name.c_str(),
                                 [c](benchmark::State& state) { BenchmarkAttention(state, c); })
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
}

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

using MakeModule = std::unique_ptr<nn::Module> (*)();

void RegisterModule(const std::string& name, const Shape& shape, int threads, MakeModule make) {
  benchmark::RegisterBenchmark(
      (name + "/training/threads:" + std::to_string(threads)).c_str(),
      [=](benchmark::State& state) { TrainThrough(state, *make(), shape, threads); })
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

AttentionExtents Extents(int64_t examples, int64_t heads, int64_t positions, int64_t head_dim,
                         bool causal) {
  AttentionExtents e;
  e.examples = examples;
  e.heads = heads;
  e.positions = positions;
  e.head_dim = head_dim;
  e.causal = causal;
  return e;
}

void RegisterAll(int threads) {
  RegisterAttention(Extents(16, 4, 128, 32, /*causal=*/true), threads);
  RegisterAttention(Extents(2, 4, 1024, 64, /*causal=*/true), threads);
  RegisterAttention(Extents(2, 4, 1024, 64, /*causal=*/false), threads);
  RegisterModule("lstm/32x64x128x128", {32, 64, 128}, threads,
                 [] { return std::unique_ptr<nn::Module>(new nn::LSTM(128, 128)); });
  RegisterModule("gru/32x64x128x128", {32, 64, 128}, threads,
                 [] { return std::unique_ptr<nn::Module>(new nn::GRU(128, 128)); });
  RegisterModule("multihead_attention/16x128x128", {16, 128, 128}, threads, [] {
    return std::unique_ptr<nn::Module>(new nn::MultiheadAttention(
        128, 4, {/*causal=*/true, /*bias=*/true, /*rotary_base=*/0, /*dropout=*/0}));
  });
  RegisterModule("transformer_block/16x128x128", {16, 128, 128}, threads,
                 [] { return std::unique_ptr<nn::Module>(new nn::TransformerBlock(128, 4, {})); });
}

}  // namespace
}  // namespace lockstep::kernels

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  lockstep::kernels::RegisterAll(1);
  if (omp_get_num_procs() > 1) lockstep::kernels::RegisterAll(omp_get_num_procs());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
