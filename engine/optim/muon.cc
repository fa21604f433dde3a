#include "engine/optim/muon.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/kernels/aligned_buffer.h"
#include "engine/kernels/tensor_update.h"
#include "engine/optim/newton_schulz.h"

namespace lockstep::optim {
namespace {

double Adjustment(MuonAdjustment adjustment, int64_t rows, int64_t columns) {
  const double height = static_cast<double>(rows);
  const double width = static_cast<double>(columns);
  if (adjustment == MuonAdjustment::kMatchRmsAdamw) return 0.2 * std::sqrt(std::max(height, width));
  return std::sqrt(std::max(1.0, height / width));
}

}  // namespace

Muon::Muon(const MuonOptions& options, int64_t rows, int64_t columns)
    : options_(options), rows_(rows), columns_(columns), state_names_({"momentum"}) {}

void Muon::Update(const UpdateStep& step, absl::Span<const float> gradient_sum,
                  absl::Span<const float> parameter, absl::Span<const absl::Span<float>> state,
                  absl::Span<float> new_parameter) const {
  LOCKSTEP_CHECK_EQ(static_cast<int>(state.size()), state_count());
  LOCKSTEP_CHECK_EQ(static_cast<int64_t>(parameter.size()), rows_ * columns_);
  kernels::MuonStep scalars;
  scalars.gradient = step.gradient();
  scalars.momentum = static_cast<float>(options_.momentum);
  scalars.one_minus_momentum = static_cast<float>(1.0 - options_.momentum);
  scalars.nesterov = options_.nesterov;
  thread_local kernels::AlignedBuffer buffer;
  const absl::Span<float> update(buffer.Reserve(parameter.size()), parameter.size());
  kernels::MuonMomentum(scalars, gradient_sum, state[0], update);
  Orthogonalize(rows_, columns_, options_.newton_schulz_steps, options_.epsilon, update);
  const double learning_rate = options_.learning_rate * step.learning_rate_factor;
  const double decay = 1.0 - learning_rate * options_.weight_decay;
  const double rate = learning_rate * Adjustment(options_.adjustment, rows_, columns_);
  kernels::WeightedSum(static_cast<float>(-rate), update, static_cast<float>(decay), parameter,
                       new_parameter);
}

std::string Muon::Describe() const {
  return absl::StrCat(
      "Muon(learning_rate=", options_.learning_rate, ", momentum=", options_.momentum,
      ", weight_decay=", options_.weight_decay, ", epsilon=", options_.epsilon,
      ", newton_schulz_steps=", options_.newton_schulz_steps,
      ", nesterov=", options_.nesterov ? "True" : "False", ", adjustment=",
      options_.adjustment == MuonAdjustment::kOriginal ? "original)" : "match_rms_adamw)");
}

}  // namespace lockstep::optim
