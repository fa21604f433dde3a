// What is done to every raw feature value before the model sees it.
#ifndef LOCKSTEP_ENGINE_DATA_SCALING_H_
#define LOCKSTEP_ENGINE_DATA_SCALING_H_

#include <optional>

namespace lockstep::data {

// Order: ((raw / divide_by) - mean) / standard_deviation in float32, each
// operation rounded once. A part left out is not computed.
struct Scaling {
  std::optional<float> divide_by;           // > 0, finite
  std::optional<float> mean;                // finite
  std::optional<float> standard_deviation;  // > 0, finite

  float Apply(float raw) const {
    if (divide_by.has_value()) raw = raw / *divide_by;
    if (mean.has_value()) raw = raw - *mean;
    if (standard_deviation.has_value()) raw = raw / *standard_deviation;
    return raw;
  }
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_SCALING_H_
