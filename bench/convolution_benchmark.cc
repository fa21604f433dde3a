// Speed of the convolutions, forward and both gradients apart. "flops" is per
// second; matmul_benchmark shows the machine's peak.
//
//   bazel run -c opt //bench:convolution_benchmark -- --benchmark_filter=64to64
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/kernels/convolution.h"
#include "engine/kernels/instruction_set.h"

namespace lockstep::kernels {
namespace {

enum class Pass { kForward, kInputGradient, kWeightGradient };

struct Setting {
  std::string set;
  int threads = 1;
};

// Batch 64 in 8 shards, kernel 3 x 3, padding 1.
void BenchmarkConvolution(benchmark::State& state, const Setting& setting, Pass pass,
                          int64_t in_channels, int64_t out_channels, int64_t size) {
  LimitInstructionSet(setting.set).IgnoreError();
  omp_set_num_threads(setting.threads);
  ConvolutionShape shape;
  shape.examples = 64;
  shape.in_channels = in_channels;
  shape.out_channels = out_channels;
  shape.in_height = shape.in_width = size;
  shape.kernel_height = shape.kernel_width = 3;
  shape.padding_height = shape.padding_width = 1;
  std::vector<float> x(shape.examples * in_channels * shape.InPlane(), 0.5f);
  std::vector<float> y(shape.examples * out_channels * shape.OutPlane(), 0.25f);
  std::vector<float> weight(shape.WeightCount(), 0.125f);
  const std::vector<float> bias(out_channels, 1.0f);
  const std::vector<int64_t> cuts = {0, 8, 16, 24, 32, 40, 48, 56, 64};
  for (auto _ : state) {
    switch (pass) {
      case Pass::kForward:
        Convolution(shape, x.data(), weight.data(), bias.data(), Activation::kRelu, y.data());
        break;
      case Pass::kInputGradient:
        ConvolutionInputGradient(shape, y.data(), weight.data(), x.data());
        break;
      case Pass::kWeightGradient:
        ConvolutionWeightGradient(shape, cuts, x.data(), y.data(), weight.data());
        break;
    }
    benchmark::ClobberMemory();
  }
  const auto multiply_adds =
      static_cast<double>(shape.examples * shape.OutPlane() * shape.WeightCount());
  state.counters["flops"] =
      benchmark::Counter(2.0 * multiply_adds, benchmark::Counter::kIsIterationInvariantRate);
}

void RegisterShapes(const Setting& setting) {
  const int64_t shapes[][3] = {{1, 16, 28}, {16, 32, 28}, {64, 64, 28}, {16, 32, 14}, {64, 64, 14}};
  for (const auto& [in, out, size] : shapes) {
    for (const Pass pass : {Pass::kForward, Pass::kInputGradient, Pass::kWeightGradient}) {
      const char* const name = pass == Pass::kForward         ? "forward/"
                               : pass == Pass::kInputGradient ? "input_gradient/"
                                                              : "weight_gradient/";
      const std::string text = name + std::to_string(in) + "to" + std::to_string(out) + "/" +
                               std::to_string(size) + "x" + std::to_string(size) + "/" +
                               setting.set + "/threads:" + std::to_string(setting.threads);
      benchmark::RegisterBenchmark(text.c_str(),
                                   [=, in = in, out = out, size = size](benchmark::State& state) {
                                     BenchmarkConvolution(state, setting, pass, in, out, size);
                                   })
          ->UseRealTime()
          ->MinTime(0.2);
    }
  }
}

}  // namespace
}  // namespace lockstep::kernels

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const std::string& set : lockstep::kernels::AvailableInstructionSets()) {
    lockstep::kernels::RegisterShapes({set, 1});
    if (omp_get_num_procs() > 1) lockstep::kernels::RegisterShapes({set, omp_get_num_procs()});
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
