// Speed of the convolutions, 3 x 3 with padding 1, batch 64 in 8 shards: forward
// with bias and ReLU, the gradients of input, weight and bias, and both passes.
// "flops" is per second; matmul_benchmark shows the machine's peak.
// bench/peer_kernels.py has the same names for PyTorch's times.
//
//   bazel run -c opt //bench:convolution_benchmark -- --benchmark_filter=64x64x64
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/kernels/convolution.h"
#include "engine/tensor.h"

namespace lockstep::kernels {
namespace {

Tensor Numbers(int64_t size) {
  Tensor numbers = Tensor::Empty({size});
  uint32_t state = 1;
  for (int64_t i = 0; i < size; ++i) {
    state = state * 1664525u + 1013904223u;
    numbers.data<float>()[i] = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  return numbers;
}

// Operands and results of a layer.
struct Layer {
  Layer(int64_t examples, int64_t in_channels, int64_t out_channels, int64_t size) {
    shape.examples = examples;
    shape.in_channels = in_channels;
    shape.out_channels = out_channels;
    shape.in_height = shape.in_width = size;
    shape.kernel_height = shape.kernel_width = 3;
    shape.padding_height = shape.padding_width = 1;
    x = Numbers(examples * in_channels * shape.InPlane());
    dx = Numbers(x.element_count());
    y = Numbers(examples * out_channels * shape.OutPlane());
    dy = Numbers(y.element_count());
    weight = Numbers(shape.WeightCount());
    dweight = Numbers(shape.WeightCount());
    bias = Numbers(out_channels);
    dbias = Numbers(out_channels);
    for (int64_t i = 0; i <= 8; ++i) cuts.push_back(examples * i / 8);
  }

  void Forward() {
    Convolution(shape, x.data<float>(), weight.data<float>(), bias.data<float>(), Activation::kRelu,
                y.data<float>());
  }
  void InputGradient() {
    ConvolutionInputGradient(shape, dy.data<float>(), weight.data<float>(), dx.data<float>());
  }
  void WeightGradient() {
    ConvolutionWeightGradient(shape, cuts, x.data<float>(), dy.data<float>(),
                              dweight.data<float>());
  }
  void Backward() {
    InputGradient();
    WeightGradient();
    ConvolutionBiasGradient(shape, cuts, dy.data<float>(), dbias.data<float>());
  }
  void Training() {
    Forward();
    Backward();
  }

  ConvolutionShape shape;
  Tensor x, dx, y, dy, weight, dweight, bias, dbias;
  std::vector<int64_t> cuts;
};

// A part of the work, and how many products of forward's size are in it.
struct Part {
  const char* name;
  void (Layer::*run)();
  int products;
};

void Register(int64_t examples, int64_t in, int64_t out, int64_t size, int threads) {
  const Part parts[] = {{"forward", &Layer::Forward, 1},
                        {"input_gradient", &Layer::InputGradient, 1},
                        {"weight_gradient", &Layer::WeightGradient, 1},
                        {"backward", &Layer::Backward, 2},
                        {"training", &Layer::Training, 3}};
  for (const Part& part : parts) {
    const std::string name = "convolution/" + std::to_string(examples) + "x" + std::to_string(in) +
                             "x" + std::to_string(out) + "x" + std::to_string(size) + "/" +
                             part.name + "/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(
        name.c_str(),
        [=](benchmark::State& state) {
          omp_set_num_threads(threads);
          Layer layer(examples, in, out, size);
          for (auto _ : state) {
            (layer.*part.run)();
            benchmark::ClobberMemory();
          }
          const ConvolutionShape& s = layer.shape;
          state.counters["flops"] = benchmark::Counter(
              2.0 * part.products *
                  static_cast<double>(s.examples * s.OutPlane() * s.WeightCount()),
              benchmark::Counter::kIsIterationInvariantRate);
        })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

void RegisterAll(int threads) {
  const int64_t shapes[][3] = {{16, 32, 28}, {64, 64, 28}, {16, 32, 14}, {64, 64, 14}, {1, 16, 28}};
  for (const auto& [in, out, size] : shapes) Register(64, in, out, size, threads);
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
