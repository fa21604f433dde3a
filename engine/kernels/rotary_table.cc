#include "engine/kernels/rotary_table.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/transcendental.h"

namespace lockstep::kernels {
namespace {

constexpr double kPi = 3.141592653589793;

// cos(pi x) for 0 <= x < 2.
double CosPiOfTwo(double x) { return CosPi(x > 1.0 ? 2.0 - x : x); }

template <class T>
void Fill(int64_t positions, int64_t head_dim, double base, T* cosines, T* sines) {
  LOCKSTEP_CHECK(head_dim % 2 == 0 && base > 0,
                 absl::StrCat("rotary embedding: got head_dim ", head_dim, " and base ", base,
                              ", want an even head_dim and a positive base"));
  const int64_t half = head_dim / 2;
  for (int64_t c = 0; c < half; ++c) {
    const double frequency =
        PowerOfPositive(base, static_cast<double>(-2 * c) / static_cast<double>(head_dim));
    for (int64_t i = 0; i < positions; ++i) {
      const double turn = (static_cast<double>(i) * frequency) / kPi;
      const double rest = turn - 2.0 * std::floor(turn / 2.0);
      cosines[i * half + c] = static_cast<T>(CosPiOfTwo(rest));
      sines[i * half + c] = static_cast<T>(CosPiOfTwo(std::fabs(rest - 0.5)));
    }
  }
}

}  // namespace

void FillRotaryTable(int64_t positions, int64_t head_dim, double base, float* cosines,
                     float* sines) {
  Fill(positions, head_dim, base, cosines, sines);
}

void FillRotaryTable(int64_t positions, int64_t head_dim, double base, double* cosines,
                     double* sines) {
  Fill(positions, head_dim, base, cosines, sines);
}

}  // namespace lockstep::kernels
