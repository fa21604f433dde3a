// How a gradient changes parameters. An optimizer holds no state of its own:
// state lies in flat vectors beside the parameters, so that the server can
// update pieces in parallel, checkpoint them and restore them.
#ifndef LOCKSTEP_ENGINE_OPTIM_OPTIMIZER_H_
#define LOCKSTEP_ENGINE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace lockstep::optim {

// Threads: immutable; any number of threads at once.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // Vectors of state that each parameter element needs, all zero before step 0.
  int state_count() const { return static_cast<int>(state_names().size()); }
  // For checkpoints: "velocity", or "first_moment" and "second_moment".
  virtual const std::vector<std::string>& state_names() const = 0;

  // One step on a piece of the flat parameter vector (all spans of one length,
  // element i of each belongs together; any cut into pieces gives the same
  // bits). new_parameter may be parameter; state is updated in place.
  // step: steps done before, from 0. batch_size: examples in gradient_sum, by
  // which it is divided, 1 to 2^24. learning_rate_factor: Schedule::Factor.
  // Requires: state.size() == state_count().
  // Order: kernels/optimizer_update.h; its scalars in float64, rounded once.
  virtual void Update(uint64_t step, double batch_size, double learning_rate_factor,
                      absl::Span<const float> gradient_sum, absl::Span<const float> parameter,
                      absl::Span<const absl::Span<float>> state,
                      absl::Span<float> new_parameter) const = 0;

  // "Sgd(learning_rate=0.1, momentum=0.9, ...)".
  virtual std::string Describe() const = 0;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_OPTIMIZER_H_
