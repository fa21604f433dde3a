#include "engine/optim/newton_schulz.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/tensor_update.h"

namespace lockstep::optim {
namespace {

using kernels::Activation;
using kernels::Matmul;

constexpr float kLinear = 3.4445f;
constexpr float kCubic = -4.7750f;
constexpr float kQuintic = 2.0315f;

// One application of the quintic. gram and square: [side, side]; product: as x.
void Step(int64_t rows, int64_t columns, absl::Span<float> gram, absl::Span<float> square,
          absl::Span<float> product, absl::Span<float> x) {
  const bool wide = rows <= columns;
  const int64_t side = std::min(rows, columns);
  const int64_t inner = std::max(rows, columns);
  Matmul(side, side, inner, {x.data(), !wide}, {x.data(), wide}, nullptr, Activation::kNone,
         gram.data());
  Matmul(side, side, side, {gram.data()}, {gram.data()}, nullptr, Activation::kNone, square.data());
  kernels::WeightedSum(kQuintic, square, kCubic, gram, gram);
  if (wide) {
    Matmul(rows, columns, rows, {gram.data()}, {x.data()}, nullptr, Activation::kNone,
           product.data());
  } else {
    Matmul(rows, columns, columns, {x.data()}, {gram.data()}, nullptr, Activation::kNone,
           product.data());
  }
  kernels::WeightedSum(kLinear, x, 1.0f, product, x);
}

}  // namespace

void Orthogonalize(int64_t rows, int64_t columns, int steps, double epsilon, absl::Span<float> x) {
  const int64_t side = std::min(rows, columns);
  const int64_t size = rows * columns;
  thread_local kernels::AlignedBuffer buffer;
  float* const memory = buffer.Reserve(2 * side * side + size);
  const absl::Span<float> gram(memory, side * side);
  const absl::Span<float> square(memory + side * side, side * side);
  const absl::Span<float> product(memory + 2 * side * side, size);
  const double norm = std::max(std::sqrt(kernels::SumOfSquares({}, x)), epsilon);
  kernels::DivideInPlace(static_cast<float>(norm), x);
  for (int step = 0; step < steps; ++step) Step(rows, columns, gram, square, product, x);
}

}  // namespace lockstep::optim
