// Speed of the optimizers' updates beside the machine's memory bandwidth,
// measured in the same run: "bytes_per_second" counts each vector read and each
// written once. Bandwidth is an in-place a = s a + b by the same number of
// threads, which reads and writes as the updates do and computes next to nothing.
//
//   bazel run -c opt //bench:optimizer_benchmark -- --benchmark_repetitions=5
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/kernels/tensor_update.h"
#include "engine/optim/adam.h"
#include "engine/optim/lamb.h"
#include "engine/optim/lion.h"
#include "engine/optim/rmsprop.h"
#include "engine/optim/sgd.h"

namespace lockstep::optim {
namespace {

// 64 MiB a vector: far beyond the last cache.
constexpr int64_t kElements = int64_t{1} << 24;

void CountBytes(benchmark::State& state, int vectors) {
  state.SetBytesProcessed(state.iterations() * kElements * vectors *
                          static_cast<int64_t>(sizeof(float)));
}

void Bandwidth(benchmark::State& state) {
  omp_set_num_threads(static_cast<int>(state.range(0)));
  std::vector<float> a(kElements, 1.0f);
  const std::vector<float> b(kElements, 0.5f);
  for (auto _ : state) kernels::WeightedSum(0.5f, a, 1.0f, b, absl::MakeSpan(a));
  CountBytes(state, 3);
}

void Update(benchmark::State& state, std::shared_ptr<const Optimizer> optimizer) {
  omp_set_num_threads(static_cast<int>(state.range(0)));
  const std::vector<float> gradient(kElements, 0.25f);
  std::vector<float> parameter(kElements, 1.0f);
  std::vector<std::vector<float>> vectors(optimizer->state_count(),
                                          std::vector<float>(kElements, 0.0f));
  std::vector<absl::Span<float>> spans;
  for (std::vector<float>& vector : vectors) spans.push_back(absl::MakeSpan(vector));
  UpdateStep step;
  step.batch_size = 128;
  for (auto _ : state) {
    optimizer->Update(step, gradient, parameter, spans, absl::MakeSpan(parameter));
    ++step.step;
  }
  // Gradient; parameter and state, in and out.
  CountBytes(state, 1 + 2 * (1 + optimizer->state_count()));
}

void Register() {
  SgdOptions momentum;
  momentum.momentum = 0.9;
  AdamOptions adamw;
  adamw.decoupled = true;
  adamw.weight_decay = 0.01;
  const std::vector<std::pair<std::string, std::shared_ptr<const Optimizer>>> optimizers = {
      {"Sgd", std::make_shared<Sgd>(SgdOptions{})},
      {"SgdMomentum", std::make_shared<Sgd>(momentum)},
      {"Adam", std::make_shared<Adam>(AdamOptions{})},
      {"AdamW", std::make_shared<Adam>(adamw)},
      {"Rmsprop", std::make_shared<Rmsprop>(RmspropOptions{})},
      {"Lion", std::make_shared<Lion>(LionOptions{})},
      {"Lamb", std::make_shared<Lamb>(LambOptions{})},
  };
  for (const int threads : {1, 2}) {
    benchmark::RegisterBenchmark("Bandwidth", Bandwidth)->Arg(threads)->UseRealTime();
    for (const auto& [name, optimizer] : optimizers) {
      benchmark::RegisterBenchmark(name.c_str(), Update, optimizer)->Arg(threads)->UseRealTime();
    }
  }
}

}  // namespace
}  // namespace lockstep::optim

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  lockstep::optim::Register();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
