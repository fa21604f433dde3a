#include "engine/model/build_optimizer.h"

#include <charconv>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/check.h"
#include "engine/model/field_error.h"
#include "engine/model/name_pattern.h"
#include "engine/model/optimizer_spec.h"
#include "engine/optim/adadelta.h"
#include "engine/optim/adagrad.h"
#include "engine/optim/adam.h"
#include "engine/optim/lamb.h"
#include "engine/optim/lion.h"
#include "engine/optim/muon.h"
#include "engine/optim/rmsprop.h"
#include "engine/optim/sgd.h"

namespace lockstep {
namespace {

using SharedOptimizer = std::shared_ptr<const optim::Optimizer>;

// The float64 nearest to the shortest decimal that rounds to `value`: 0.999
// for 0.999f, where a plain conversion would give 0.99900001287. Both steps
// are exactly defined, so every machine gets the same.
double DecimalValue(float value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof(text), value);
  double decimal = value;
  std::from_chars(text, end.ptr, decimal);
  return decimal;
}

SharedOptimizer MakeSgd(const v1::Sgd& sgd) {
  optim::SgdOptions options;
  options.learning_rate = DecimalValue(sgd.learning_rate());
  options.momentum = DecimalValue(sgd.momentum());
  options.weight_decay = DecimalValue(sgd.weight_decay());
  options.nesterov = sgd.nesterov();
  return std::make_shared<optim::Sgd>(options);
}

// Of Adam's and AdamW's messages.
template <typename Message>
SharedOptimizer MakeAdam(const Message& adam, bool decoupled) {
  optim::AdamOptions options;
  options.learning_rate = DecimalValue(adam.learning_rate());
  options.beta1 = DecimalValue(adam.beta1());
  options.beta2 = DecimalValue(adam.beta2());
  options.epsilon = DecimalValue(adam.epsilon());
  options.weight_decay = DecimalValue(adam.weight_decay());
  options.decoupled = decoupled;
  options.amsgrad = adam.amsgrad();
  return std::make_shared<optim::Adam>(options);
}

SharedOptimizer MakeRmsprop(const v1::Rmsprop& rmsprop) {
  optim::RmspropOptions options;
  options.learning_rate = DecimalValue(rmsprop.learning_rate());
  options.alpha = DecimalValue(rmsprop.alpha());
  options.epsilon = DecimalValue(rmsprop.epsilon());
  options.momentum = DecimalValue(rmsprop.momentum());
  options.weight_decay = DecimalValue(rmsprop.weight_decay());
  options.centered = rmsprop.centered();
  return std::make_shared<optim::Rmsprop>(options);
}

SharedOptimizer MakeAdagrad(const v1::Adagrad& adagrad) {
  optim::AdagradOptions options;
  options.learning_rate = DecimalValue(adagrad.learning_rate());
  options.learning_rate_decay = DecimalValue(adagrad.learning_rate_decay());
  options.initial_accumulator_value = DecimalValue(adagrad.initial_accumulator_value());
  options.epsilon = DecimalValue(adagrad.epsilon());
  options.weight_decay = DecimalValue(adagrad.weight_decay());
  return std::make_shared<optim::Adagrad>(options);
}

SharedOptimizer MakeAdadelta(const v1::Adadelta& adadelta) {
  optim::AdadeltaOptions options;
  options.learning_rate = DecimalValue(adadelta.learning_rate());
  options.rho = DecimalValue(adadelta.rho());
  options.epsilon = DecimalValue(adadelta.epsilon());
  options.weight_decay = DecimalValue(adadelta.weight_decay());
  return std::make_shared<optim::Adadelta>(options);
}

SharedOptimizer MakeLamb(const v1::Lamb& lamb) {
  optim::LambOptions options;
  options.learning_rate = DecimalValue(lamb.learning_rate());
  options.beta1 = DecimalValue(lamb.beta1());
  options.beta2 = DecimalValue(lamb.beta2());
  options.epsilon = DecimalValue(lamb.epsilon());
  options.weight_decay = DecimalValue(lamb.weight_decay());
  return std::make_shared<optim::Lamb>(options);
}

SharedOptimizer MakeLion(const v1::Lion& lion) {
  optim::LionOptions options;
  options.learning_rate = DecimalValue(lion.learning_rate());
  options.beta1 = DecimalValue(lion.beta1());
  options.beta2 = DecimalValue(lion.beta2());
  options.weight_decay = DecimalValue(lion.weight_decay());
  return std::make_shared<optim::Lion>(options);
}

SharedOptimizer MakeMuon(const v1::Muon& muon, int64_t rows, int64_t columns) {
  optim::MuonOptions options;
  options.learning_rate = DecimalValue(muon.learning_rate());
  options.momentum = DecimalValue(muon.momentum());
  options.weight_decay = DecimalValue(muon.weight_decay());
  options.epsilon = DecimalValue(muon.epsilon());
  options.newton_schulz_steps = static_cast<int>(muon.newton_schulz_steps());
  options.nesterov = muon.nesterov();
  options.adjustment = muon.match_rms_adamw() ? optim::MuonAdjustment::kMatchRmsAdamw
                                              : optim::MuonAdjustment::kOriginal;
  return std::make_shared<optim::Muon>(options, rows, columns);
}

void SetWeightDecay(float weight_decay, v1::OptimizerChoice* choice) {
  switch (choice->optimizer_case()) {
    case v1::OptimizerChoice::kSgd:
      return choice->mutable_sgd()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kAdam:
      return choice->mutable_adam()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kAdamw:
      return choice->mutable_adamw()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kRmsprop:
      return choice->mutable_rmsprop()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kAdagrad:
      return choice->mutable_adagrad()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kAdadelta:
      return choice->mutable_adadelta()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kLamb:
      return choice->mutable_lamb()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kLion:
      return choice->mutable_lion()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::kMuon:
      choice->mutable_muon()->mutable_adamw()->set_weight_decay(weight_decay);
      return choice->mutable_muon()->set_weight_decay(weight_decay);
    case v1::OptimizerChoice::OPTIMIZER_NOT_SET:
      return;
  }
}

// A group's optimizer, for one parameter after another.
class GroupOptimizer {
 public:
  explicit GroupOptimizer(v1::OptimizerChoice choice) : choice_(std::move(choice)) {
    FillOptimizerDefaults(&choice_);
  }

  // The same object for all parameters that can share it, so that their
  // updates join into long runs.
  SharedOptimizer For(const Shape& shape) {
    if (choice_.has_muon() && shape.rank() == 2) {
      return MakeMuon(choice_.muon(), shape.dim(0), shape.dim(1));
    }
    if (shared_ == nullptr) shared_ = MakeShared();
    return shared_;
  }

 private:
  SharedOptimizer MakeShared() const {
    switch (choice_.optimizer_case()) {
      case v1::OptimizerChoice::kSgd:
        return MakeSgd(choice_.sgd());
      case v1::OptimizerChoice::kAdam:
        return MakeAdam(choice_.adam(), /*decoupled=*/false);
      case v1::OptimizerChoice::kAdamw:
        return MakeAdam(choice_.adamw(), /*decoupled=*/true);
      case v1::OptimizerChoice::kRmsprop:
        return MakeRmsprop(choice_.rmsprop());
      case v1::OptimizerChoice::kAdagrad:
        return MakeAdagrad(choice_.adagrad());
      case v1::OptimizerChoice::kAdadelta:
        return MakeAdadelta(choice_.adadelta());
      case v1::OptimizerChoice::kLamb:
        return MakeLamb(choice_.lamb());
      case v1::OptimizerChoice::kLion:
        return MakeLion(choice_.lion());
      case v1::OptimizerChoice::kMuon:
        return MakeAdam(choice_.muon().adamw(), /*decoupled=*/true);
      case v1::OptimizerChoice::OPTIMIZER_NOT_SET:
        break;
    }
    LOCKSTEP_CHECK(false, "an optimizer that was not checked");
    return nullptr;
  }

  v1::OptimizerChoice choice_;
  SharedOptimizer shared_;
};

bool Takes(const v1::ParameterGroup& group, const std::string& name) {
  for (const std::string& pattern : group.parameters()) {
    if (MatchesPattern(pattern, name)) return true;
  }
  return false;
}

// The first that takes it; parameter_groups_size() stands for the rest.
int GroupOf(const v1::JobSpec& spec, const std::string& name) {
  for (int i = 0; i < spec.parameter_groups_size(); ++i) {
    if (Takes(spec.parameter_groups(i), name)) return i;
  }
  return spec.parameter_groups_size();
}

v1::OptimizerChoice OptimizerOf(const v1::JobSpec& spec, int group_index) {
  if (group_index == spec.parameter_groups_size()) return spec.optimizer();
  const v1::ParameterGroup& group = spec.parameter_groups(group_index);
  v1::OptimizerChoice choice = group.has_optimizer() ? group.optimizer() : spec.optimizer();
  if (group.has_weight_decay()) SetWeightDecay(group.weight_decay(), &choice);
  return choice;
}

absl::Status NoParameter(const v1::JobSpec& spec, int group, const nn::ParameterLayout& layout) {
  constexpr size_t kShown = 8;
  std::vector<std::string> names;
  for (const nn::ParameterSlot& slot : layout.slots()) {
    if (names.size() < kShown) names.push_back(slot.name);
  }
  if (layout.slots().size() > kShown) names.push_back("...");
  return FieldError(
      absl::StrCat("parameter_groups[", group, "].parameters"),
      absl::StrCat("got ", absl::StrJoin(spec.parameter_groups(group).parameters(), ", "),
                   ", which leaves the group without a parameter, want a pattern for one of ",
                   absl::StrJoin(names, ", "), " that no earlier group takes"));
}

// Schedules that drop by epochs.
template <typename Message>
optim::Schedule Dropping(optim::ScheduleKind kind, double gamma, const Message& message) {
  optim::Schedule schedule;
  schedule.kind = kind;
  schedule.gamma = gamma;
  schedule.warmup_steps = message.warmup_steps();
  return schedule;
}

// Schedules that fall to a final factor.
template <typename Message>
optim::Schedule Falling(optim::ScheduleKind kind, const Message& message) {
  optim::Schedule schedule;
  schedule.kind = kind;
  schedule.final_factor = message.final_factor();
  schedule.warmup_steps = message.warmup_steps();
  return schedule;
}

optim::Schedule ScheduleOf(const v1::ScheduleChoice& choice) {
  optim::Schedule schedule;
  switch (choice.schedule_case()) {
    case v1::ScheduleChoice::kStep:
      schedule = Dropping(optim::ScheduleKind::kStep, choice.step().gamma(), choice.step());
      schedule.step_size_epochs = choice.step().step_size();
      return schedule;
    case v1::ScheduleChoice::kMultistep: {
      const v1::MultistepSchedule& multistep = choice.multistep();
      schedule = Dropping(optim::ScheduleKind::kMultistep, multistep.gamma(), multistep);
      schedule.milestones.assign(multistep.milestones().begin(), multistep.milestones().end());
      return schedule;
    }
    case v1::ScheduleChoice::kExponential:
      return Dropping(optim::ScheduleKind::kExponential, choice.exponential().gamma(),
                      choice.exponential());
    case v1::ScheduleChoice::kCosine:
      return Falling(optim::ScheduleKind::kCosine, choice.cosine());
    case v1::ScheduleChoice::kLinear:
      return Falling(optim::ScheduleKind::kLinear, choice.linear());
    case v1::ScheduleChoice::kCosineRestarts:
      schedule = Falling(optim::ScheduleKind::kCosineRestarts, choice.cosine_restarts());
      schedule.first_cycle_steps = choice.cosine_restarts().first_cycle_steps();
      schedule.cycle_multiplier = choice.cosine_restarts().cycle_multiplier();
      return schedule;
    case v1::ScheduleChoice::kOneCycle:
      schedule.kind = optim::ScheduleKind::kOneCycle;
      schedule.warmup_fraction = choice.one_cycle().warmup_fraction();
      schedule.initial_divisor = choice.one_cycle().initial_divisor();
      schedule.final_divisor = choice.one_cycle().final_divisor();
      return schedule;
    case v1::ScheduleChoice::kInverseSquareRoot:
      schedule.kind = optim::ScheduleKind::kInverseSquareRoot;
      schedule.warmup_steps = choice.inverse_square_root().warmup_steps();
      return schedule;
    case v1::ScheduleChoice::kPlateau:
      schedule.kind = optim::ScheduleKind::kPlateau;
      schedule.warmup_steps = choice.plateau().warmup_steps();
      return schedule;
    case v1::ScheduleChoice::kConstant:
    case v1::ScheduleChoice::SCHEDULE_NOT_SET:
      schedule.warmup_steps = choice.constant().warmup_steps();
      return schedule;
  }
  return schedule;
}

}  // namespace

absl::StatusOr<optim::UpdateRules> MakeUpdateRules(const v1::JobSpec& spec,
                                                   const nn::ParameterLayout& layout) {
  std::map<int, GroupOptimizer> optimizers;
  std::vector<bool> has_parameter(spec.parameter_groups_size() + 1, false);
  bool trains = false;
  optim::UpdateRules rules;
  for (const nn::ParameterSlot& slot : layout.slots()) {
    const int index = GroupOf(spec, slot.name);
    has_parameter[index] = true;
    const bool is_group = index < spec.parameter_groups_size();
    optim::UpdateRule rule;
    if (slot.kind == nn::ParameterKind::kTrained &&
        !(is_group && spec.parameter_groups(index).frozen())) {
      rule.optimizer =
          optimizers.try_emplace(index, OptimizerOf(spec, index)).first->second.For(slot.shape);
      trains = true;
    }
    if (is_group && spec.parameter_groups(index).has_learning_rate_factor()) {
      rule.learning_rate_factor = DecimalValue(spec.parameter_groups(index).learning_rate_factor());
    }
    rules.rules.push_back(std::move(rule));
  }
  for (int i = 0; i < spec.parameter_groups_size(); ++i) {
    if (!has_parameter[i]) return NoParameter(spec, i, layout);
  }
  if (!trains && !layout.slots().empty()) {
    return FieldError("parameter_groups", "got all parameters frozen, want one that is trained");
  }
  rules.clipping.max_value = DecimalValue(spec.gradient_clipping().max_value());
  rules.clipping.max_norm = DecimalValue(spec.gradient_clipping().max_norm());
  if (spec.has_ema()) rules.average_decay = spec.ema().has_decay() ? spec.ema().decay() : 0.999;
  return rules;
}

absl::StatusOr<optim::UpdateRules> MakeServerRules(const v1::JobSpec& spec,
                                                   const nn::ParameterLayout& layout) {
  absl::StatusOr<optim::UpdateRules> rules = MakeUpdateRules(spec, layout);
  if (!rules.ok() || !spec.consistency().has_local_sgd()) return rules;
  const v1::OuterChoice& outer = spec.consistency().local_sgd().outer();
  optim::SgdOptions options;
  options.learning_rate = 1;
  if (!outer.has_average()) {
    const v1::NesterovOuter& nesterov = outer.nesterov();
    options.learning_rate =
        nesterov.has_learning_rate() ? DecimalValue(nesterov.learning_rate()) : 0.7;
    options.momentum = nesterov.has_momentum() ? DecimalValue(nesterov.momentum()) : 0.9;
    options.nesterov = options.momentum > 0;
  }
  const auto optimizer = std::make_shared<optim::Sgd>(options);
  for (optim::UpdateRule& rule : rules->rules) {
    if (rule.optimizer != nullptr) rule = {optimizer, 1};
  }
  rules->clipping = {};
  return rules;
}

absl::StatusOr<optim::UpdateRules> MakeLocalRules(const v1::JobSpec& spec,
                                                  const nn::ParameterLayout& layout) {
  absl::StatusOr<optim::UpdateRules> rules = MakeUpdateRules(spec, layout);
  if (rules.ok()) rules->average_decay = 0;
  return rules;
}

optim::Schedule MakeSchedule(const v1::ScheduleChoice& choice) {
  v1::ScheduleChoice filled = choice;
  FillScheduleDefaults(&filled);
  return ScheduleOf(filled);
}

optim::Plateau MakePlateau(const v1::ScheduleChoice& choice) {
  v1::ScheduleChoice filled = choice;
  FillScheduleDefaults(&filled);
  optim::PlateauOptions options;
  if (filled.has_plateau()) {
    options.factor = filled.plateau().factor();
    options.patience = filled.plateau().patience();
    options.threshold = filled.plateau().threshold();
    options.cooldown = filled.plateau().cooldown();
    options.least_factor = filled.plateau().final_factor();
  }
  return optim::Plateau(options);
}

}  // namespace lockstep
