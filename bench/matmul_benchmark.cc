// Speed of the matrix products beside the machine's fused-multiply-add peak,
// measured in the same run, on 1 thread and on all. "flops" is per second.
// bench/peer_kernels.py has the same names for PyTorch's times.
//
//   bazel run -c opt //bench:matmul_benchmark -- --benchmark_filter=128x784
//   ... --instruction_set=avx2       another than the machine's best
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "bench/fma_peak.h"
#include "engine/kernels/instruction_set.h"
#include "engine/kernels/matmul.h"
#include "engine/tensor.h"

namespace lockstep::kernels {
// How a layer uses the product: y = x W^T, dx = dy W, dW = dy^T x over 8 shards.
enum class Form { kForward, kInputGradient, kWeightGradient };

void CountOperations(benchmark::State& state, double per_iteration) {
  state.counters["flops"] =
      benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate);
}

// Every thread on a core of its own at once, as a product would have them.
void BenchmarkPeak(benchmark::State& state, int threads) {
  omp_set_num_threads(threads);
  double operations = 0;
  for (auto _ : state) operations = RunFmaChains(100000);
  CountOperations(state, operations);
}

// Aligned as a tensor's elements are.
Tensor Numbers(int64_t size) {
  Tensor numbers = Tensor::Empty({size});
  uint32_t state = 1;
  for (int64_t i = 0; i < size; ++i) {
    state = state * 1664525u + 1013904223u;
    numbers.data<float>()[i] = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  return numbers;
}

struct Product {
  Form form = Form::kInputGradient;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
};

void BenchmarkMatmul(benchmark::State& state, const Product& product, int threads) {
  omp_set_num_threads(threads);
  const auto [form, m, n, k] = product;
  const Tensor a_tensor = Numbers(m * k), b_tensor = Numbers(k * n), bias_tensor = Numbers(n);
  Tensor c_tensor = Tensor::Empty({m * n});
  const float* const a = a_tensor.data<float>();
  const float* const b = b_tensor.data<float>();
  const float* const bias = bias_tensor.data<float>();
  float* const c = c_tensor.data<float>();
  std::vector<int64_t> cuts;
  for (int64_t i = 0; i <= 8; ++i) cuts.push_back(k * i / 8);
  for (auto _ : state) {
    if (form == Form::kWeightGradient) {
      MatmulShardTree(m, n, cuts, a, b, c);
    } else if (form == Form::kForward) {
      Matmul(m, n, k, {a}, {b, true}, bias, Activation::kRelu, c);
    } else {
      Matmul(m, n, k, {a}, {b}, nullptr, Activation::kNone, c);
    }
    benchmark::DoNotOptimize(c);
    benchmark::ClobberMemory();
  }
  CountOperations(state, 2.0 * static_cast<double>(m * n * k));
}

std::string Extents(int64_t a, int64_t b, int64_t c) {
  return std::to_string(a) + "x" + std::to_string(b) + "x" + std::to_string(c);
}

void Register(const std::string& name, const Product& product, int threads) {
  benchmark::RegisterBenchmark(
      (name + "/threads:" + std::to_string(threads)).c_str(),
      [=](benchmark::State& state) { BenchmarkMatmul(state, product, threads); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

// A layer's three products: batch, in, out.
void RegisterLayer(int64_t batch, int64_t in, int64_t out, int threads) {
  const std::string name = "linear/" + Extents(batch, in, out);
  Register(name + "/forward", {Form::kForward, batch, out, in}, threads);
  Register(name + "/input_gradient", {Form::kInputGradient, batch, in, out}, threads);
  Register(name + "/weight_gradient", {Form::kWeightGradient, out, in, batch}, threads);
}

void RegisterAll(int threads) {
  benchmark::RegisterBenchmark(("fma_peak/threads:" + std::to_string(threads)).c_str(),
                               [=](benchmark::State& state) { BenchmarkPeak(state, threads); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
  Register("matmul/1024x1024x1024/product", {Form::kInputGradient, 1024, 1024, 1024}, threads);
  const int64_t layers[][3] = {{128, 784, 512},  {128, 512, 256},   {128, 256, 10},   // mlp
                               {512, 784, 512},  {512, 512, 256},   {512, 256, 10},   // mlp
                               {128, 784, 2048}, {128, 2048, 2048}, {128, 2048, 10},  // wide mlp
                               {128, 1568, 128}, {128, 128, 10},                      // cnn
                               {2048, 128, 384}, {2048, 128, 128},  {2048, 128, 512},
                               {2048, 512, 128},  // gpt
                               {2048, 128, 65},   // gpt
                               {16, 784, 256}};
  for (const auto& [batch, in, out] : layers) RegisterLayer(batch, in, out, threads);
}

// Takes --instruction_set=NAME out of the arguments; false where it is unknown.
bool LimitByArguments(int& argc, char** argv) {
  const std::string flag = "--instruction_set=";
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind(flag, 0) != 0) {
      argv[kept++] = argv[i];
    } else if (!LimitInstructionSet(argument.substr(flag.size())).ok()) {
      return false;
    }
  }
  argc = kept;
  return true;
}

}  // namespace lockstep::kernels

int main(int argc, char** argv) {
  if (!lockstep::kernels::LimitByArguments(argc, argv)) {
    std::cerr << "--instruction_set: not one of this machine's\n";
    return 2;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  lockstep::kernels::RegisterAll(1);
  if (omp_get_num_procs() > 1) lockstep::kernels::RegisterAll(omp_get_num_procs());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
