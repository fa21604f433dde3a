#include "engine/nn/dropout.h"

#include "absl/strings/str_cat.h"
#include "engine/autograd/dropout_ops.h"
#include "engine/check.h"
#include "engine/nn/training_scope.h"

namespace lockstep::nn {

Dropout::Dropout(float probability) : probability_(probability) {
  LOCKSTEP_CHECK(probability >= 0 && probability <= 1,
                 absl::StrCat("Dropout: got probability ", probability, ", want 0 to 1"));
}

autograd::Variable Dropout::Forward(const autograd::Variable& input) const {
  TrainingScope* scope = TrainingScope::Current();
  if (scope == nullptr) return input;
  // Numbered even where nothing is dropped: the others' numbers do not hang on it.
  const uint64_t layer = scope->NextRandomLayer();
  if (probability_ == 0) return input;
  const TrainingScope::Options& options = scope->options();
  return autograd::Dropout(input, probability_,
                           {options.key, options.step, options.first_example, layer});
}

std::string Dropout::Describe() const {
  return absl::StrCat("Dropout(p=", probability_, ", inplace=False)");
}

}  // namespace lockstep::nn
