// Whether this thread trains, and if so, which examples of which step: what
// layers that behave differently in training (dropout, batch normalisation)
// look at. Without a scope they evaluate.
//
// Example:
//   TrainingScope scope({/*key=*/seed, /*step=*/7, /*first_example=*/64});
//   Variable outputs = model.Forward(rows_64_to_127);
#ifndef LOCKSTEP_ENGINE_NN_TRAINING_SCOPE_H_
#define LOCKSTEP_ENGINE_NN_TRAINING_SCOPE_H_

#include <cstdint>

namespace lockstep::nn {

// One scope for one forward pass. Scopes nest; the innermost counts.
// Threads: each has its own.
class TrainingScope {
 public:
  struct Options {
    uint64_t key = 0;   // the job's seed
    uint64_t step = 0;  // optimizer steps done before
    // Position in the step's whole batch of the first row: the same example
    // draws the same random numbers, whoever computes it with whatever others.
    uint64_t first_example = 0;
  };

  explicit TrainingScope(const Options& options);
  ~TrainingScope();
  TrainingScope(const TrainingScope&) = delete;
  TrainingScope& operator=(const TrainingScope&) = delete;

  const Options& options() const { return options_; }
  // Numbers the random layers of a forward pass in the order in which they run,
  // from 0, so that no two draw the same numbers.
  uint64_t NextRandomLayer() { return random_layers_++; }

  // The innermost scope of this thread; null in evaluation.
  static TrainingScope* Current();

 private:
  const Options options_;
  TrainingScope* const outer_;
  uint64_t random_layers_ = 0;
};

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_TRAINING_SCOPE_H_
