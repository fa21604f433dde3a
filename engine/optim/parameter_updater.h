// What a step does to all parameters of a model: each one's optimizer, clipping,
// what is frozen, running statistics, and the parameters' moving average. The
// server and a training in one process (training_step.h) share it.
#ifndef LOCKSTEP_ENGINE_OPTIM_PARAMETER_UPDATER_H_
#define LOCKSTEP_ENGINE_OPTIM_PARAMETER_UPDATER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "engine/nn/parameter_layout.h"
#include "engine/optim/optimizer.h"
#include "engine/tensor.h"

namespace lockstep::optim {

struct UpdateRule {
  // Null: frozen, the parameter keeps its value.
  std::shared_ptr<const Optimizer> optimizer;
  double learning_rate_factor = 1;
};

// Clipping of the mean gradient; by value first where both are wanted.
struct GradientClipping {
  double max_value = 0;  // each element to [-max_value, max_value]; 0: not
  // All gradients together are scaled down to this length where they are
  // longer, as torch.nn.utils.clip_grad_norm_ does; 0: not.
  double max_norm = 0;
};

struct UpdateRules {
  // The same optimizer for every parameter.
  static UpdateRules Uniform(const nn::ParameterLayout& layout,
                             std::shared_ptr<const Optimizer> optimizer);

  // One for each slot of the layout. Those of running statistics are not
  // looked at: kernels/optimizer_update.h says what a step does to them.
  std::vector<UpdateRule> rules;
  GradientClipping clipping;
  // Of the moving average e = decay * e + (1 - decay) * p, which begins with the
  // initial parameters; 0: none. Frozen parameters and running statistics have
  // their own value as average.
  double average_decay = 0;

  // Vectors of state that the parameter with the most needs.
  int state_count() const;
};

// A piece of state with its name, "velocity.0.weight".
struct NamedState {
  std::string name;
  Tensor tensor;  // shares the updater's memory
};

// Threads: different pieces may be updated at once; all else alone.
class ParameterUpdater {
 public:
  // Requires: a rule for each slot. State starts at zero.
  ParameterUpdater(nn::ParameterLayout layout, UpdateRules rules);

  const nn::ParameterLayout& layout() const { return layout_; }

  // Whether nothing can be updated before the whole gradient is there: a norm
  // over all of it is wanted, or an optimizer that looks at whole tensors.
  // Otherwise any piece may be updated as soon as its own gradient is there.
  bool NeedsWholeGradient() const { return needs_whole_gradient_; }

  // The elements [begin, begin + size) of the flat vector.
  // `step.gradient_limit` and `gradient_factor` are set here, not by the caller.
  // Requires: !NeedsWholeGradient(), or the whole vector; new_parameter may be
  // parameter.
  // Order: any cut into pieces gives the same bits. With a greatest norm:
  // squares[slot] = SumOfSquares (kernels/tensor_update.h) of each trained slot
  // that is not frozen; norm = sqrt(squares added in slots' order from +0);
  // factor = max_norm / (norm + 1e-6), 1 where greater, all in float64.
  void Update(const UpdateStep& step, int64_t begin, absl::Span<const float> gradient_sum,
              absl::Span<const float> parameter, absl::Span<float> new_parameter);

  // Begins the average with these parameters, flat. Needed once where there is one.
  void StartAverage(const Tensor& parameters);
  bool has_average() const { return average_decay_ != 0; }

  // All state: "<state>.<parameter>" of each optimizer's states, and
  // "average.<parameter>". Writing into the tensors changes it.
  std::vector<NamedState> State() { return NameState(FlatState()); }
  // The same as flat vectors, each of all parameters, without names.
  std::vector<Tensor> FlatState() const;
  // Names the pieces of such vectors, or of copies of them.
  std::vector<NamedState> NameState(const std::vector<Tensor>& flat) const;

  // "Adam(...)"; where parameters differ, each once: "Muon(...), AdamW(...)".
  std::string Describe() const;

 private:
  // Neighbouring elements that are updated alike; padding belongs to the run
  // before it.
  struct Run {
    int64_t begin = 0;
    int64_t end = 0;
    int slot = 0;  // the first; the only one where the optimizer takes tensors
    UpdateRule rule;
    bool is_statistic = false;
    float momentum = 0;
  };

  Run RunOfSlot(int slot) const;
  bool Joins(const Run& before, const Run& next) const;
  double ClippingFactor(const UpdateStep& step, absl::Span<const float> gradient_sum) const;
  // The part of `run` that a piece has. Offsets count from the piece's begin.
  void UpdateRun(const UpdateStep& step, const Run& run, int64_t begin, int64_t end,
                 absl::Span<const float> gradient_sum, absl::Span<const float> parameter,
                 absl::Span<float> new_parameter);
  void UpdateAverage(const Run& run, int64_t begin, absl::Span<const float> parameter);

  const nn::ParameterLayout layout_;
  const std::vector<UpdateRule> rules_;
  const GradientClipping clipping_;
  const double average_decay_;
  bool needs_whole_gradient_ = false;
  std::vector<Run> runs_;      // of the whole vector, ascending
  std::vector<Tensor> state_;  // flat; optimizer state i of a slot lies in vector i
  Tensor average_;             // flat
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_PARAMETER_UPDATER_H_
