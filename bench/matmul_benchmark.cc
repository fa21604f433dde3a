// Speed of the matrix products beside the machine's fused-multiply-add peak,
// measured in the same run and instruction set. "flops" is per second.
//
//   bazel run -c opt //bench:matmul_benchmark -- --benchmark_filter=960
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bench/fma_peak.h"
#include "engine/kernels/instruction_set.h"
#include "engine/kernels/matmul.h"

namespace lockstep::kernels {
// How a layer uses the product: y = x W^T, dx = dy W, dW = dy^T x over 8 shards.
enum class Form { kForward, kInputGradient, kWeightGradient };

struct Setting {
  std::string set;
  int threads = 1;
};

void Apply(const Setting& setting) {
  LimitInstructionSet(setting.set).IgnoreError();
  omp_set_num_threads(setting.threads);
}

void CountOperations(benchmark::State& state, double per_iteration) {
  state.counters["flops"] =
      benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate);
}

void BenchmarkPeak(benchmark::State& state, const Setting& setting) {
  Apply(setting);
  double operations = 0;
  for (auto _ : state) operations = RunFmaChains(100000);
  CountOperations(state, operations);
}

void BenchmarkMatmul(benchmark::State& state, const Setting& setting, Form form, int64_t m,
                     int64_t n, int64_t k) {
  Apply(setting);
  const std::vector<float> a(m * k, 0.5f);
  const std::vector<float> b(k * n, 0.25f);
  std::vector<float> c(m * n);
  std::vector<int64_t> cuts;
  for (int64_t i = 0; i <= 8; ++i) cuts.push_back(k * i / 8);
  for (auto _ : state) {
    if (form == Form::kWeightGradient) {
      MatmulShardTree(m, n, cuts, a.data(), b.data(), c.data());
    } else {
      Matmul(m, n, k, {a.data()}, {b.data(), form == Form::kForward}, nullptr, Activation::kNone,
             c.data());
    }
    benchmark::DoNotOptimize(c.data());
    benchmark::ClobberMemory();
  }
  CountOperations(state, 2.0 * static_cast<double>(m * n * k));
}

void RegisterShapes(const Setting& setting) {
  const std::string suffix = "/" + setting.set + "/threads:" + std::to_string(setting.threads);
  const auto add = [&](const std::string& name, Form form, int64_t m, int64_t n, int64_t k) {
    const std::string shape = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    benchmark::RegisterBenchmark(
        (name + "/" + shape + suffix).c_str(),
        [=](benchmark::State& state) { BenchmarkMatmul(state, setting, form, m, n, k); })
        ->UseRealTime()
        ->MinTime(0.2);
  };
  add("square", Form::kInputGradient, 960, 960, 960);
  // Layers [in, out] with a batch: what an MLP on images does.
  const int64_t layers[][3] = {{16, 784, 256}, {128, 784, 256},   {128, 256, 256},
                               {128, 256, 10}, {512, 2048, 2048}, {64, 512, 128}};
  for (const auto& [batch, in, out] : layers) {
    add("forward", Form::kForward, batch, out, in);
    add("input_gradient", Form::kInputGradient, batch, in, out);
    add("weight_gradient", Form::kWeightGradient, out, in, batch);
  }
}

}  // namespace lockstep::kernels

int main(int argc, char** argv) {
  using lockstep::kernels::Setting;
  benchmark::Initialize(&argc, argv);
  for (const std::string& set : lockstep::kernels::AvailableInstructionSets()) {
    const Setting single{set, 1};
    benchmark::RegisterBenchmark(("fma_peak/" + set).c_str(), [single](benchmark::State& state) {
      lockstep::kernels::BenchmarkPeak(state, single);
    })->MinTime(0.2);
    lockstep::kernels::RegisterShapes(single);
    if (omp_get_num_procs() > 1) {
      lockstep::kernels::RegisterShapes({set, omp_get_num_procs()});
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
