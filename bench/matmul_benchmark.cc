// Speed of the matrix products beside the machine's fused-multiply-add peak,
// measured in the same run and instruction set. "flops" is per second.
//
//   bazel run -c opt //bench:matmul_benchmark -- --benchmark_filter=960
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/matmul_benchmark.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what it is compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// 12 independent chains, more than latency x throughput anywhere; returns what
// they come to and sets the floating-point operations done.
float FmaChains(int64_t rounds, double& operations) {
  const FloatTag d;
  const FloatVector factor = hn::Set(d, 0.999f);
  const FloatVector step = hn::Set(d, 0.001f);
  // Each starts elsewhere, or the compiler would find that they are one.
  auto c0 = hn::Set(d, 0.0f), c1 = hn::Set(d, 0.1f), c2 = hn::Set(d, 0.2f);
  auto c3 = hn::Set(d, 0.3f), c4 = hn::Set(d, 0.4f), c5 = hn::Set(d, 0.5f);
  auto c6 = hn::Set(d, 0.6f), c7 = hn::Set(d, 0.7f), c8 = hn::Set(d, 0.8f);
  auto c9 = hn::Set(d, 0.9f), c10 = hn::Set(d, 1.0f), c11 = hn::Set(d, 1.1f);
  for (int64_t i = 0; i < rounds; ++i) {
    c0 = Fma(c0, factor, step), c1 = Fma(c1, factor, step), c2 = Fma(c2, factor, step);
    c3 = Fma(c3, factor, step), c4 = Fma(c4, factor, step), c5 = Fma(c5, factor, step);
    c6 = Fma(c6, factor, step), c7 = Fma(c7, factor, step), c8 = Fma(c8, factor, step);
    c9 = Fma(c9, factor, step), c10 = Fma(c10, factor, step), c11 = Fma(c11, factor, step);
  }
  operations = static_cast<double>(rounds) * 12 * 2 * static_cast<double>(hn::Lanes(d));
  c0 = hn::Add(hn::Add(c0, c1), hn::Add(c2, c3));
  c4 = hn::Add(hn::Add(c4, c5), hn::Add(c6, c7));
  c8 = hn::Add(hn::Add(c8, c9), hn::Add(c10, c11));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(c0, hn::Add(c4, c8))));
}

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/kernels/instruction_set.h"
#include "engine/kernels/matmul.h"

namespace lockstep::kernels {
HWY_EXPORT(FmaChains);

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
  for (auto _ : state) {
    benchmark::DoNotOptimize(HWY_DYNAMIC_DISPATCH(FmaChains)(100000, operations));
  }
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
#endif  // HWY_ONCE
