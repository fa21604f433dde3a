// Speed of norms, softmax, dropout and embedding beside the memory bandwidth
// measured in the same run. "bytes_per_second" counts what each must read and
// write once. The yardsticks write by ordinary stores, as the kernels do.
//
//   bazel run -c opt //bench:normalization_benchmark -- --benchmark_filter=layer_norm
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/kernels/channel_norm.h"
#include "engine/kernels/dropout.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/embedding.h"
#include "engine/kernels/layer_norm.h"
#include "engine/kernels/softmax.h"

namespace lockstep::kernels {
namespace {

struct Case {
  int64_t rows = 0;
  int64_t columns = 0;
  int threads = 1;
};

// What the kernels work on; as many floats as the case has elements.
struct Arrays {
  explicit Arrays(const Case& shape)
      : x(shape.rows * shape.columns, 0.5f),
        dy(x.size(), 0.25f),
        y(x.size()),
        weight(shape.columns, 1.5f),
        bias(shape.columns, 0.5f),
        mean(shape.rows),
        rstd(shape.rows, 1.0f),
        dweight(shape.columns),
        dbias(shape.columns),
        cuts(9) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 101) * 0.01f;
    for (int64_t i = 0; i <= 8; ++i) cuts[i] = shape.rows * i / 8;
  }

  std::vector<float> x, dy, y, weight, bias, mean, rstd, dweight, dbias;
  std::vector<int64_t> cuts;
};

using Kernel = std::function<void(const Case& shape, Arrays& arrays)>;

// `passes`: arrays of the case's size that are read or written.
void Run(benchmark::State& state, const Case& shape, int passes, const Kernel& kernel) {
  omp_set_num_threads(shape.threads);
  Arrays arrays(shape);
  for (auto _ : state) {
    kernel(shape, arrays);
    benchmark::DoNotOptimize(arrays.y.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * passes * shape.rows *
                          shape.columns * static_cast<int64_t>(sizeof(float)));
}

void Register(const std::string& name, const Case& shape, int passes, const Kernel& kernel) {
  const std::string full = name + "/" + std::to_string(shape.rows) + "x" +
                           std::to_string(shape.columns) +
                           "/threads:" + std::to_string(shape.threads);
  benchmark::RegisterBenchmark(full.c_str(),
                               [=](benchmark::State& state) { Run(state, shape, passes, kernel); })
      ->UseRealTime()
      ->MinTime(0.2);
}

void RegisterShape(const Case& shape) {
  Register("copy", shape, 2, [](const Case& s, Arrays& a) {
    Unary(UnaryOp::kAbsolute, s.rows * s.columns, a.x.data(), a.y.data());
  });
  Register("triad", shape, 3, [](const Case& s, Arrays& a) {
    Binary(BinaryOp::kAdd, s.rows * s.columns, a.x.data(), a.dy.data(), a.y.data());
  });
  Register("layer_norm", shape, 2, [](const Case& s, Arrays& a) {
    LayerNorm(s.rows, s.columns, 1e-5f, a.x.data(), a.weight.data(), a.bias.data(), a.y.data(),
              a.mean.data(), a.rstd.data());
  });
  Register("layer_norm_backward", shape, 3, [](const Case& s, Arrays& a) {
    LayerNormParameterGradients(s.columns, a.cuts, a.x.data(), a.mean.data(), a.rstd.data(),
                                a.dy.data(), a.dweight.data(), a.dbias.data());
    LayerNormBackward(s.rows, s.columns, a.x.data(), a.mean.data(), a.rstd.data(), a.weight.data(),
                      a.dy.data(), a.y.data());
  });
  Register("rms_norm", shape, 2, [](const Case& s, Arrays& a) {
    RmsNorm(s.rows, s.columns, 1e-5f, a.x.data(), a.weight.data(), a.y.data(), a.rstd.data());
  });
  Register("softmax", shape, 2, [](const Case& s, Arrays& a) {
    Softmax(s.rows, s.columns, 1.0f, a.x.data(), a.y.data());
  });
  Register("softmax_backward", shape, 3, [](const Case& s, Arrays& a) {
    SoftmaxBackward(s.rows, s.columns, 1.0f, a.x.data(), a.dy.data(), a.y.data());
  });
  Register("log_softmax", shape, 2,
           [](const Case& s, Arrays& a) { LogSoftmax(s.rows, s.columns, a.x.data(), a.y.data()); });
  Register("dropout", shape, 2, [](const Case& s, Arrays& a) {
    Dropout({1, 2, 3, 4}, s.rows, s.columns, 0.1f, a.x.data(), a.y.data());
  });
}

// A batch of images as batch norm sees it, in 8 shards.
void RegisterBatchNorm(int64_t channels, int64_t positions, int threads) {
  Register("batch_norm_" + std::to_string(channels), {64, channels * positions, threads}, 2,
           [=](const Case&, Arrays& a) {
             const ChannelSets sets{channels, positions, 1, a.cuts};
             std::vector<float> mean(8 * channels), squares(8 * channels);
             ChannelStatistics(sets, a.x.data(), mean.data(), squares.data());
             // The squares stand for rstd: the time is the same.
             ChannelNorm(sets, a.x.data(), mean.data(), squares.data(), a.weight.data(),
                         a.bias.data(), a.y.data());
           });
}

// Lookups of a text batch and the scatter back.
void RegisterEmbedding(int64_t entries, int threads) {
  const auto indices = [entries](int64_t positions) {
    std::vector<int64_t> list(positions);
    for (int64_t p = 0; p < positions; ++p) list[p] = p * p * 7 % entries;
    return list;
  };
  const Case shape{2048, 128, threads};
  const std::vector<int64_t> words = indices(shape.rows);
  const std::string suffix = "_" + std::to_string(entries);
  Register("embedding" + suffix, shape, 2, [=](const Case& s, Arrays& a) {
    static std::vector<float> table;
    table.resize(entries * s.columns);
    Embedding(s.rows, s.columns, words.data(), table.data(), a.y.data());
  });
  Register("embedding_backward" + suffix, shape, 1, [=](const Case& s, Arrays& a) {
    static std::vector<float> table;
    table.resize(entries * s.columns);
    EmbeddingBackward(entries, s.columns, a.cuts, words.data(), -1, a.dy.data(), table.data());
  });
}

}  // namespace
}  // namespace lockstep::kernels

int main(int argc, char** argv) {
  using namespace lockstep::kernels;  // NOLINT: the benchmarks' own
  benchmark::Initialize(&argc, argv);
  for (int threads = 1; threads <= omp_get_num_procs(); threads *= 2) {
    // Beyond every cache; a GPT's activations; attention's rows; a vocabulary's.
    for (const auto& [rows, columns] : {std::pair(65536, 1024), std::pair(2048, 128),
                                        std::pair(8192, 128), std::pair(2048, 1000)}) {
      RegisterShape({rows, columns, threads});
    }
    RegisterBatchNorm(16, 28 * 28, threads);
    RegisterBatchNorm(512, 1, threads);
    RegisterEmbedding(65, threads);
    RegisterEmbedding(30000, threads);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
