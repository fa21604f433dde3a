// How a gradient changes parameters. An optimizer holds no state of its own:
// state lies in vectors beside the parameters, so that the server can update
// pieces in parallel, checkpoint them and restore them.
#ifndef LOCKSTEP_ENGINE_OPTIM_OPTIMIZER_H_
#define LOCKSTEP_ENGINE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/kernels/gradient_scale.h"

namespace lockstep::optim {

// What an update must know beside the numbers themselves.
struct UpdateStep {
  uint64_t step = 0;                // steps done before, from 0
  double batch_size = 1;            // examples in the gradient's sum, 1 to 2^24
  double learning_rate_factor = 1;  // Schedule::Factor times the parameter group's
  double gradient_limit = 0;        // clipping by value, > 0; 0: none
  double gradient_factor = 1;       // clipping by the global norm

  template <class T = float>
  kernels::GradientScaleOf<T> gradient() const {
    return {static_cast<T>(batch_size), static_cast<T>(gradient_limit),
            static_cast<T>(gradient_factor)};
  }
};

// What a call of Update may be given.
enum class Granularity {
  kElement,  // any piece: any cut gives the same bits
  kTensor,   // one whole parameter tensor: norms or products of it are needed
};

// Threads: immutable; any number of threads at once.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  virtual Granularity granularity() const { return Granularity::kElement; }

  // Vectors of state that each parameter element needs, all zero before step 0.
  int state_count() const { return static_cast<int>(state_names().size()); }
  // For checkpoints: "velocity", or "first_moment" and "second_moment".
  virtual const std::vector<std::string>& state_names() const = 0;

  // One step on a piece of the parameters (all spans of one length, element i
  // of each belongs together). new_parameter may be parameter; state is updated
  // in place.
  // Requires: state.size() == state_count().
  // Order: kernels/optimizer_update.h, tensor_update.h; scalars in float64, one
  // operation after another from the left, rounded once.
  virtual void Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                      absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                      absl::Span<float> new_parameter) const = 0;

  // "Sgd(learning_rate=0.1, momentum=0.9, ...)".
  virtual std::string Describe() const = 0;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_OPTIMIZER_H_
