// Times of single kernels, beside what the machine can do, measured in turn in
// the same run. Prints one JSON object: for each measurement the median and
// least microseconds, and what it is beside:
//   "flops", "peak_flops"   operations per second, and the machine's
//                           multiply-add peak on as many threads (fma_peak.h)
//   "bytes_per_second", "bandwidth"   each array counted once for each time that
//                           it must be read or written, and the best plain pass
//                           over memory with that mix (memory_yardsticks.h)
// bench/peer_kernels.py prints the same names' times of PyTorch.
//
//   engine_kernels KIND SHAPE... THREADS SECONDS
//   engine_kernels linear 128x784x512 128x512x256 2 0.3
//   engine_kernels memory 32768x1024 2 1
// KIND and SHAPE:
//   matmul       MxNxK               C = A B
//   linear       BATCHxINxOUT        y = relu(x W^T + b) and both gradients, 8 shards
//   convolution  EXAMPLESxINxOUTxSIZE   3 x 3, padding 1: forward, and with all gradients
//   memory       ROWSxCOLUMNS        elementwise, softmax, layer norm, optimizers
// SECONDS are spent on each measurement.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/fma_peak.h"
#include "bench/memory_yardsticks.h"
#include "engine/kernels/activation.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/convolution.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/layer_norm.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/softmax.h"

namespace lockstep::kernels {
namespace {

using Call = std::function<void()>;
using Clock = std::chrono::steady_clock;

double Microseconds(const Call& call) {
  const Clock::time_point started = Clock::now();
  call();
  return std::chrono::duration<double, std::micro>(Clock::now() - started).count();
}

struct Times {
  double median_us = 0;
  double least_us = 0;
};

// Runs the calls in turn, so that a disturbance of the machine hits all alike,
// for `seconds` for each, after a warm-up of a quarter of that.
std::vector<Times> TimeInTurn(const std::vector<Call>& calls, double seconds) {
  const auto turns = [&](double for_seconds, size_t least, const auto& take) {
    const Clock::time_point end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double>(for_seconds * calls.size()));
    for (size_t turn = 0; turn < least || Clock::now() < end; ++turn) {
      for (size_t i = 0; i < calls.size(); ++i) take(i, Microseconds(calls[i]));
    }
  };
  turns(seconds / 4, 1, [](size_t, double) {});
  std::vector<std::vector<double>> samples(calls.size());
  turns(seconds, 5, [&](size_t i, double microseconds) { samples[i].push_back(microseconds); });
  std::vector<Times> times;
  for (std::vector<double>& of_one : samples) {
    std::sort(of_one.begin(), of_one.end());
    times.push_back({of_one[of_one.size() / 2], of_one[0]});
  }
  return times;
}

// An array of floats at a multiple of 64 bytes.
class Array {
 public:
  explicit Array(int64_t size, float scale = 1) : size_(size), data_(buffer_->Reserve(size)) {
    for (int64_t i = 0; i < size; ++i) data_[i] = static_cast<float>(i * 37 % 601 - 300) * scale;
  }
  int64_t size() const { return size_; }
  float* data() const { return data_; }
  absl::Span<float> span() const { return {data_, static_cast<size_t>(size_)}; }

 private:
  const std::shared_ptr<AlignedBuffer> buffer_ = std::make_shared<AlignedBuffer>();
  const int64_t size_;
  float* const data_;
};

// Prints the measurements' object, an entry at a time.
class Report {
 public:
  Report(int threads, double seconds) : threads_(threads), seconds_(seconds) {}
  ~Report() { std::cout << "}" << std::endl; }

  // What counts floating-point operations: `call` alone, so that it finds the
  // caches as it left them; then the peak, which touches none.
  void Operations(const std::string& name, double operations, const Call& call) {
    const Times times = TimeInTurn({call}, seconds_)[0];
    double peak_operations = 0;
    const Times peak =
        TimeInTurn({[&] { peak_operations = RunFmaChains(100000); }}, seconds_ / 4)[0];
    Print(name, times,
          absl::StrCat("\"flops\": ", 1e6 * operations / times.median_us,
                       ", \"peak_flops\": ", 1e6 * peak_operations / peak.median_us));
  }

  // What counts bytes, in turn with plain passes over the same bytes.
  void Bytes(const std::string& name, double bytes, const Call& call,
             const std::vector<Call>& yardsticks) {
    std::vector<Call> calls = yardsticks;
    calls.push_back(call);
    const std::vector<Times> times = TimeInTurn(calls, seconds_);
    double best = times[0].median_us;
    for (size_t i = 0; i < yardsticks.size(); ++i) best = std::min(best, times[i].median_us);
    Print(name, times.back(),
          absl::StrCat("\"bytes_per_second\": ", 1e6 * bytes / times.back().median_us,
                       ", \"bandwidth\": ", 1e6 * bytes / best));
  }

 private:
  void Print(const std::string& name, const Times& times, const std::string& more) {
    std::cout << (first_ ? "{" : ",\n ") << "\"" << name << "/threads:" << threads_
              << "\": {\"median_us\": " << times.median_us << ", \"least_us\": " << times.least_us
              << ", " << more << "}";
    first_ = false;
  }

  const int threads_;
  const double seconds_;
  bool first_ = true;
};

using Extents = std::vector<int64_t>;

// 8 shards of `size`.
std::vector<int64_t> ShardCuts(int64_t size) {
  std::vector<int64_t> cuts;
  for (int64_t i = 0; i <= 8; ++i) cuts.push_back(size * i / 8);
  return cuts;
}

void MeasureMatmul(const std::string& prefix, const Extents& shape, Report& report) {
  const int64_t m = shape[0], n = shape[1], k = shape[2];
  const Array a(m * k, 0.01f), b(k * n, 0.01f), c(m * n);
  report.Operations(prefix + "product", 2.0 * static_cast<double>(m * n * k), [&] {
    Matmul(m, n, k, {a.data()}, {b.data()}, nullptr, Activation::kNone, c.data());
  });
}

void MeasureLinear(const std::string& prefix, const Extents& shape, Report& report) {
  const int64_t batch = shape[0], in = shape[1], out = shape[2];
  const Array x(batch * in, 0.01f), weight(out * in, 0.001f), bias(out), dy(batch * out, 0.01f);
  const Array y(batch * out), dx(batch * in), dweight(out * in);
  const std::vector<int64_t> cuts = ShardCuts(batch);
  const double operations = 2.0 * static_cast<double>(batch * in * out);
  report.Operations(prefix + "forward", operations, [&] {
    Matmul(batch, out, in, {x.data()}, {weight.data(), /*transposed=*/true}, bias.data(),
           Activation::kRelu, y.data());
  });
  report.Operations(prefix + "input_gradient", operations, [&] {
    Matmul(batch, in, out, {dy.data()}, {weight.data()}, nullptr, Activation::kNone, dx.data());
  });
  report.Operations(prefix + "weight_gradient", operations,
                    [&] { MatmulShardTree(out, in, cuts, dy.data(), x.data(), dweight.data()); });
}

void MeasureConvolution(const std::string& prefix, const Extents& extents, Report& report) {
  ConvolutionShape shape;
  shape.examples = extents[0];
  shape.in_channels = extents[1];
  shape.out_channels = extents[2];
  shape.in_height = shape.in_width = extents[3];
  shape.kernel_height = shape.kernel_width = 3;
  shape.padding_height = shape.padding_width = 1;
  const int64_t ins = shape.examples * shape.in_channels * shape.InPlane();
  const int64_t outs = shape.examples * shape.out_channels * shape.OutPlane();
  const Array x(ins, 0.01f), weight(shape.WeightCount(), 0.001f), bias(shape.out_channels);
  const Array y(outs), dy(outs, 0.01f), dx(ins), dweight(weight.size()), dbias(bias.size());
  const std::vector<int64_t> cuts = ShardCuts(shape.examples);
  const Call forward = [&] {
    Convolution(shape, x.data(), weight.data(), bias.data(), Activation::kNone, y.data());
  };
  const Call backward = [&] {
    ConvolutionInputGradient(shape, dy.data(), weight.data(), dx.data());
    ConvolutionWeightGradient(shape, cuts, x.data(), dy.data(), dweight.data());
    ConvolutionBiasGradient(shape, cuts, dy.data(), dbias.data());
  };
  const double operations =
      2.0 * static_cast<double>(shape.examples * shape.OutPlane() * shape.WeightCount());
  report.Operations(prefix + "forward", operations, forward);
  report.Operations(prefix + "backward", 2 * operations, backward);
  report.Operations(prefix + "training", 3 * operations, [&] {
    forward();
    backward();
  });
}

// The arrays that memory-bound kernels work on, and plain passes over them.
struct MemoryArrays {
  MemoryArrays(int64_t rows, int64_t columns)
      : rows(rows),
        columns(columns),
        size(rows * columns),
        x(size, 0.01f),
        dy(size, 0.001f),
        y(size),
        z(size, 0) {}

  double Bytes(int arrays) const { return static_cast<double>(arrays * size) * sizeof(float); }
  std::vector<Call> ScaleYardsticks() const {
    return {[this] { ScalePass(size, Writing::kOrdinary, x.data(), y.data()); },
            [this] { ScalePass(size, Writing::kStreaming, x.data(), y.data()); }};
  }
  std::vector<Call> TriadYardsticks() const {
    return {[this] { TriadPass(size, Writing::kOrdinary, x.data(), dy.data(), y.data()); },
            [this] { TriadPass(size, Writing::kStreaming, x.data(), dy.data(), y.data()); }};
  }

  const int64_t rows, columns, size;
  const Array x, dy, y, z;
};

void MeasureElementwise(const std::string& prefix, const MemoryArrays& a, Report& report) {
  const auto one = [&](const std::string& name, const Call& call) {
    report.Bytes(prefix + name, a.Bytes(2), call, a.ScaleYardsticks());
  };
  const auto two = [&](const std::string& name, const Call& call) {
    report.Bytes(prefix + name, a.Bytes(3), call, a.TriadYardsticks());
  };
  const auto unary = [&](UnaryOp op) {
    return [&a, op] { Unary(op, a.size, a.x.data(), a.y.data()); };
  };
  two("add", [&] { Binary(BinaryOp::kAdd, a.size, a.x.data(), a.dy.data(), a.y.data()); });
  one("add_row",
      [&] { BinaryRow(BinaryOp::kAdd, a.rows, a.columns, a.x.data(), a.dy.data(), a.y.data()); });
  one("relu", unary(UnaryOp::kRelu));
  one("exp", unary(UnaryOp::kExp));
  one("tanh", unary(UnaryOp::kTanh));
  one("gelu", [&] { Activate(ActivationFunction::kGelu, {}, a.size, a.x.data(), a.y.data()); });
  two("relu_backward", [&] {
    ActivationBackward(ActivationGradient::kRelu, a.size, a.dy.data(), a.x.data(), a.y.data());
  });
  two("gelu_backward", [&] {
    ActivateBackward(ActivationFunction::kGelu, {}, a.size, a.dy.data(), a.x.data(), a.y.data());
  });
}

void MeasureRows(const std::string& prefix, const MemoryArrays& a, Report& report) {
  const Array weight(a.columns, 0.01f), bias(a.columns), mean(a.rows), rstd(a.rows, 0.01f);
  const Array dweight(a.columns), dbias(a.columns);
  const std::vector<int64_t> cuts = ShardCuts(a.rows);
  const auto one = [&](const std::string& name, const Call& call) {
    report.Bytes(prefix + name, a.Bytes(2), call, a.ScaleYardsticks());
  };
  const auto two = [&](const std::string& name, const Call& call) {
    report.Bytes(prefix + name, a.Bytes(3), call, a.TriadYardsticks());
  };
  one("softmax", [&] { Softmax(a.rows, a.columns, 1.0f, a.x.data(), a.y.data()); });
  two("softmax_backward",
      [&] { SoftmaxBackward(a.rows, a.columns, 1.0f, a.x.data(), a.dy.data(), a.y.data()); });
  one("layer_norm", [&] {
    LayerNorm(a.rows, a.columns, 1e-5f, a.x.data(), weight.data(), bias.data(), a.y.data(),
              mean.data(), rstd.data());
  });
  two("layer_norm_backward", [&] {
    LayerNormBackward(a.rows, a.columns, a.x.data(), mean.data(), rstd.data(), weight.data(),
                      a.dy.data(), a.y.data());
  });
}

void MeasureOptimizers(const std::string& prefix, const MemoryArrays& a, Report& report) {
  AdamStep adamw;
  adamw.gradient.batch_size = 128;
  adamw.step_size = 0.001f;
  adamw.decay = 0.99999f;
  // Gradient; parameter and both moments, in and out.
  report.Bytes(
      prefix + "adamw", a.Bytes(7),
      [&] { AdamUpdate(adamw, a.dy.span(), a.x.span(), a.y.span(), a.z.span(), {}, a.x.span()); },
      {[&] { UpdatePass(a.size, a.dy.data(), a.x.data(), a.y.data(), a.z.data()); }});
  SgdStep sgd;
  sgd.gradient.batch_size = 128;
  sgd.learning_rate = 0.01f;
  sgd.momentum = 0.9f;
  report.Bytes(prefix + "sgd_momentum", a.Bytes(5),
               [&] { SgdUpdate(sgd, a.dy.span(), a.x.span(), a.y.span(), a.x.span()); },
               {[&] { UpdatePass(a.size, a.dy.data(), a.x.data(), a.y.data(), nullptr); }});
}

void MeasureMemory(const std::string& prefix, const Extents& shape, Report& report) {
  const MemoryArrays arrays(shape[0], shape[1]);
  MeasureElementwise(prefix, arrays, report);
  MeasureRows(prefix, arrays, report);
  MeasureOptimizers(prefix, arrays, report);
}

struct Kind {
  std::string name;
  size_t extents = 0;
  void (*measure)(const std::string& prefix, const Extents& shape, Report& report) = nullptr;
};

const Kind* FindKind(const std::string& name) {
  static const auto* const kinds = new std::vector<Kind>{
      {"matmul", 3, MeasureMatmul},
      {"linear", 3, MeasureLinear},
      {"convolution", 4, MeasureConvolution},
      {"memory", 2, MeasureMemory},
  };
  for (const Kind& kind : *kinds) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

// Empty: not `count` whole numbers from 1, joined by x.
Extents ParseExtents(const std::string& text, size_t count) {
  Extents extents;
  for (const absl::string_view part : absl::StrSplit(text, 'x')) {
    int64_t extent = 0;
    if (!absl::SimpleAtoi(part, &extent) || extent < 1) return {};
    extents.push_back(extent);
  }
  return extents.size() == count ? extents : Extents();
}

int Run(const std::vector<std::string>& arguments) {
  int threads = 0;
  double seconds = 0;
  const Kind* const kind = arguments.size() < 4 ? nullptr : FindKind(arguments[0]);
  if (kind == nullptr || !absl::SimpleAtoi(arguments[arguments.size() - 2], &threads) ||
      !absl::SimpleAtod(arguments.back(), &seconds) || threads < 1 || !(seconds > 0)) {
    std::cerr
        << "usage: engine_kernels matmul|linear|convolution|memory SHAPE... THREADS SECONDS\n";
    return 2;
  }
  std::vector<Extents> shapes;
  for (size_t i = 1; i + 2 < arguments.size(); ++i) {
    shapes.push_back(ParseExtents(arguments[i], kind->extents));
    if (shapes.back().empty()) {
      std::cerr << "engine_kernels: got shape " << arguments[i] << ", want " << kind->extents
                << " whole numbers from 1, such as 64x128\n";
      return 2;
    }
  }
  omp_set_num_threads(threads);
  Report report(threads, seconds);
  for (size_t i = 0; i < shapes.size(); ++i) {
    kind->measure(absl::StrCat(kind->name, "/", arguments[i + 1], "/"), shapes[i], report);
  }
  return 0;
}

}  // namespace
}  // namespace lockstep::kernels

int main(int argc, char** argv) {
  return lockstep::kernels::Run(std::vector<std::string>(argv + 1, argv + argc));
}
