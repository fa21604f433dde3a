// Speed of the elementwise kernels beside the memory bandwidth measured in the
// same run. "bytes_per_second" counts what each must read and write once; the
// yardsticks, plain loops, write by ordinary stores as the kernels do.
//
//   bazel run -c opt //bench:elementwise_benchmark -- --benchmark_filter=gelu
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/kernels/activation.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/extremum.h"
#include "engine/kernels/parallel.h"

namespace lockstep::kernels {
namespace {

struct Arrays {
  explicit Arrays(int64_t size) : x(size), dy(size, 0.25f), y(size), places(size / kColumns) {
    for (int64_t i = 0; i < size; ++i) x[i] = static_cast<float>(i * 37 % 601 - 300) * 0.01f;
  }
  static constexpr int64_t kColumns = 512;

  int64_t size() const { return static_cast<int64_t>(x.size()); }
  int64_t rows() const { return size() / kColumns; }

  std::vector<float> x, dy, y;
  std::vector<int64_t> places;
};

using Kernel = std::function<void(Arrays& arrays)>;

// `passes`: arrays that are read or written.
void Run(benchmark::State& state, int64_t size, int threads, int passes, const Kernel& kernel) {
  omp_set_num_threads(threads);
  Arrays arrays(size);
  for (auto _ : state) {
    kernel(arrays);
    benchmark::DoNotOptimize(arrays.y.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * passes * size *
                          static_cast<int64_t>(sizeof(float)));
}

// y = x and y = x + 3 dy, without the kernels.
void CopyYardstick(Arrays& a) {
  const float* x = a.x.data();
  float* y = a.y.data();
  ParallelElements(a.size(), [=](int64_t begin, int64_t end) {
    // Not a copy to the compiler, which would call memcpy and its streaming stores.
    for (int64_t i = begin; i < end; ++i) y[i] = x[i] + 1.0f;
  });
}
void TriadYardstick(Arrays& a) {
  const float* x = a.x.data();
  const float* dy = a.dy.data();
  float* y = a.y.data();
  ParallelElements(a.size(), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = x[i] + 3.0f * dy[i];
  });
}

Kernel UnaryKernel(UnaryOp op) {
  return [=](Arrays& a) { Unary(op, a.size(), a.x.data(), a.y.data()); };
}
Kernel BinaryKernel(BinaryOp op) {
  return [=](Arrays& a) { Binary(op, a.size(), a.x.data(), a.dy.data(), a.y.data()); };
}
Kernel ForwardKernel(ActivationFunction f) {
  return [=](Arrays& a) { Activate(f, {1, 20}, a.size(), a.x.data(), a.y.data()); };
}
Kernel BackwardKernel(ActivationFunction f) {
  return [=](Arrays& a) {
    ActivateBackward(f, {1, 20}, a.size(), a.dy.data(), a.x.data(), a.y.data());
  };
}

void RegisterAll(int64_t size, int threads) {
  const auto add = [=](const std::string& name, int passes, const Kernel& kernel) {
    const std::string full =
        name + "/" + std::to_string(size) + "/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(
        full.c_str(), [=](benchmark::State& state) { Run(state, size, threads, passes, kernel); })
        ->UseRealTime()
        ->MinTime(0.1);
  };
  add("copy_yardstick", 2, CopyYardstick);
  add("triad_yardstick", 3, TriadYardstick);
  add("negate", 2, UnaryKernel(UnaryOp::kNegate));
  add("square_root", 2, UnaryKernel(UnaryOp::kSquareRoot));
  add("relu", 2, UnaryKernel(UnaryOp::kRelu));
  add("add", 3, BinaryKernel(BinaryOp::kAdd));
  add("divide", 3, BinaryKernel(BinaryOp::kDivide));
  add("greater", 3, BinaryKernel(BinaryOp::kGreater));
  add("add_row", 2, [](Arrays& a) {
    BinaryRow(BinaryOp::kAdd, a.rows(), a.kColumns, a.x.data(), a.dy.data(), a.y.data());
  });
  add("relu_backward", 3, [](Arrays& a) {
    ActivationBackward(ActivationGradient::kRelu, a.size(), a.dy.data(), a.x.data(), a.y.data());
  });
  add("row_maximum", 1, [](Arrays& a) {
    Extremum(ExtremumOp::kMaximum, a.rows(), a.kColumns, 1, a.x.data(), a.y.data(),
             a.places.data());
  });
  add("exp", 2, UnaryKernel(UnaryOp::kExp));
  add("log", 2, UnaryKernel(UnaryOp::kLog));
  add("tanh", 2, UnaryKernel(UnaryOp::kTanh));
  add("sigmoid", 2, UnaryKernel(UnaryOp::kSigmoid));
  add("sin", 2, UnaryKernel(UnaryOp::kSin));
  add("erf", 2, UnaryKernel(UnaryOp::kErf));
  add("gelu", 2, ForwardKernel(ActivationFunction::kGelu));
  add("gelu_backward", 3, BackwardKernel(ActivationFunction::kGelu));
  add("gelu_tanh", 2, ForwardKernel(ActivationFunction::kGeluTanh));
  add("gelu_tanh_backward", 3, BackwardKernel(ActivationFunction::kGeluTanh));
  add("silu", 2, ForwardKernel(ActivationFunction::kSilu));
  add("silu_backward", 3, BackwardKernel(ActivationFunction::kSilu));
  add("softplus", 2, ForwardKernel(ActivationFunction::kSoftplus));
}

}  // namespace
}  // namespace lockstep::kernels

int main(int argc, char** argv) {
  // In the caches, as in training, and 128 MB per array, from memory.
  for (int64_t size : {int64_t{2048} * 512, int64_t{1} << 25}) {
    for (int threads : {1, 2}) lockstep::kernels::RegisterAll(size, threads);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
