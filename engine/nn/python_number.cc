#include "engine/nn/python_number.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace lockstep::nn {

std::string PythonNumber(double value) {
  if (value != value) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[64];
  int digits = 1;
  for (; digits < 17; ++digits) {
    std::snprintf(text, sizeof(text), "%.*e", digits - 1, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  std::snprintf(text, sizeof(text), "%.*e", digits - 1, value);
  const int exponent = std::atoi(std::strchr(text, 'e') + 1);
  // Python's repr writes exponents outside of [-4, 16).
  if (exponent < -4 || exponent >= 16) return text;
  std::snprintf(text, sizeof(text), "%.*f", std::max(1, digits - 1 - exponent), value);
  return text;
}

}  // namespace lockstep::nn
