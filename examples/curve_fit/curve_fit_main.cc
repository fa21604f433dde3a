// Fits the three curves and prints how the error falls.
#include <cstddef>
#include <cstdio>
#include <vector>

#include "examples/curve_fit/curve_fit.h"

namespace {

void Print(const char* title, const std::vector<double>& losses, size_t every) {
  std::printf("%s\n", title);
  for (size_t i = 0; i < losses.size(); ++i) {
    if (i % every == 0 || i + 1 == losses.size())
      std::printf("  step %5zu  loss %.8f\n", i, losses[i]);
  }
}

}  // namespace

int main() {
  namespace examples = lockstep::examples;
  Print("y = x^2 + 1, 1-8-4-1, gradient descent, float64:", examples::FitParabola(201), 20);
  Print("y = x^2 + 1, 1-8-16-8-1, Adam:", examples::FitParabolaByAdam(20000), 2000);
  Print("y = sin(pi x) + noise, 1-512-1, SGD with momentum:", examples::FitSine(1848), 200);
  return 0;
}
