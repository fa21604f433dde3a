#include "engine/model/optimizer_spec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "engine/model/field_default.h"

namespace lockstep {
namespace {

constexpr char kOptimizers[] = "sgd, adam, adamw, rmsprop, adagrad, adadelta, lamb, lion or muon";
constexpr int kMaxGroups = 1000;
constexpr int kMaxPatterns = 1000;
constexpr int kMaxMilestones = 10000;

// ---- defaults

// Adam's and AdamW's messages have the same fields.
template <typename Message>
void FillAdam(Message* adam, float weight_decay) {
  LOCKSTEP_DEFAULT(adam, learning_rate, 0.001f);
  LOCKSTEP_DEFAULT(adam, beta1, 0.9f);
  LOCKSTEP_DEFAULT(adam, beta2, 0.999f);
  LOCKSTEP_DEFAULT(adam, epsilon, 1e-8f);
  LOCKSTEP_DEFAULT(adam, weight_decay, weight_decay);
  LOCKSTEP_DEFAULT(adam, amsgrad, false);
}

void FillSgd(v1::Sgd* sgd) {
  LOCKSTEP_DEFAULT(sgd, momentum, 0.0f);
  LOCKSTEP_DEFAULT(sgd, weight_decay, 0.0f);
  LOCKSTEP_DEFAULT(sgd, nesterov, false);
}

void FillRmsprop(v1::Rmsprop* rmsprop) {
  LOCKSTEP_DEFAULT(rmsprop, learning_rate, 0.01f);
  LOCKSTEP_DEFAULT(rmsprop, alpha, 0.99f);
  LOCKSTEP_DEFAULT(rmsprop, epsilon, 1e-8f);
  LOCKSTEP_DEFAULT(rmsprop, momentum, 0.0f);
  LOCKSTEP_DEFAULT(rmsprop, weight_decay, 0.0f);
  LOCKSTEP_DEFAULT(rmsprop, centered, false);
}

void FillAdagrad(v1::Adagrad* adagrad) {
  LOCKSTEP_DEFAULT(adagrad, learning_rate, 0.01f);
  LOCKSTEP_DEFAULT(adagrad, learning_rate_decay, 0.0f);
  LOCKSTEP_DEFAULT(adagrad, initial_accumulator_value, 0.0f);
  LOCKSTEP_DEFAULT(adagrad, epsilon, 1e-10f);
  LOCKSTEP_DEFAULT(adagrad, weight_decay, 0.0f);
}

void FillAdadelta(v1::Adadelta* adadelta) {
  LOCKSTEP_DEFAULT(adadelta, learning_rate, 1.0f);
  LOCKSTEP_DEFAULT(adadelta, rho, 0.9f);
  LOCKSTEP_DEFAULT(adadelta, epsilon, 1e-6f);
  LOCKSTEP_DEFAULT(adadelta, weight_decay, 0.0f);
}

void FillLamb(v1::Lamb* lamb) {
  LOCKSTEP_DEFAULT(lamb, learning_rate, 0.001f);
  LOCKSTEP_DEFAULT(lamb, beta1, 0.9f);
  LOCKSTEP_DEFAULT(lamb, beta2, 0.999f);
  LOCKSTEP_DEFAULT(lamb, epsilon, 1e-6f);
  LOCKSTEP_DEFAULT(lamb, weight_decay, 0.0f);
}

void FillLion(v1::Lion* lion) {
  LOCKSTEP_DEFAULT(lion, learning_rate, 0.0001f);
  LOCKSTEP_DEFAULT(lion, beta1, 0.9f);
  LOCKSTEP_DEFAULT(lion, beta2, 0.99f);
  LOCKSTEP_DEFAULT(lion, weight_decay, 0.0f);
}

void FillMuon(v1::Muon* muon) {
  LOCKSTEP_DEFAULT(muon, learning_rate, 0.001f);
  LOCKSTEP_DEFAULT(muon, momentum, 0.95f);
  LOCKSTEP_DEFAULT(muon, weight_decay, 0.1f);
  LOCKSTEP_DEFAULT(muon, nesterov, true);
  LOCKSTEP_DEFAULT(muon, newton_schulz_steps, 5);
  LOCKSTEP_DEFAULT(muon, epsilon, 1e-7f);
  LOCKSTEP_DEFAULT(muon, match_rms_adamw, false);
  FillAdam(muon->mutable_adamw(), 0.01f);
}

// ---- rules

void CheckSgd(const v1::Sgd& sgd, const std::string& path, FieldChecker* checker) {
  checker->Positive(path + ".learning_rate", sgd.learning_rate());
  checker->Fraction(path + ".momentum", sgd.momentum());
  checker->NotNegative(path + ".weight_decay", sgd.weight_decay());
  if (sgd.nesterov() && sgd.momentum() == 0) {
    checker->Add(path + ".nesterov", "needs momentum, got momentum 0, want momentum > 0");
  }
}

// Adam, AdamW and LAMB.
template <typename Message>
void CheckAdam(const Message& adam, const std::string& path, FieldChecker* checker) {
  checker->Positive(path + ".learning_rate", adam.learning_rate());
  checker->Fraction(path + ".beta1", adam.beta1());
  checker->Fraction(path + ".beta2", adam.beta2());
  checker->Positive(path + ".epsilon", adam.epsilon());
  checker->NotNegative(path + ".weight_decay", adam.weight_decay());
}

void CheckRmsprop(const v1::Rmsprop& rmsprop, const std::string& path, FieldChecker* checker) {
  checker->Positive(path + ".learning_rate", rmsprop.learning_rate());
  checker->Fraction(path + ".alpha", rmsprop.alpha());
  checker->Positive(path + ".epsilon", rmsprop.epsilon());
  checker->Fraction(path + ".momentum", rmsprop.momentum());
  checker->NotNegative(path + ".weight_decay", rmsprop.weight_decay());
}

void CheckAdagrad(const v1::Adagrad& adagrad, const std::string& path, FieldChecker* checker) {
  checker->Positive(path + ".learning_rate", adagrad.learning_rate());
  checker->NotNegative(path + ".learning_rate_decay", adagrad.learning_rate_decay());
  checker->NotNegative(path + ".initial_accumulator_value", adagrad.initial_accumulator_value());
  checker->Positive(path + ".epsilon", adagrad.epsilon());
  checker->NotNegative(path + ".weight_decay", adagrad.weight_decay());
}

void CheckAdadelta(const v1::Adadelta& adadelta, const std::string& path, FieldChecker* checker) {
  checker->Positive(path + ".learning_rate", adadelta.learning_rate());
  checker->Fraction(path + ".rho", adadelta.rho());
  checker->Positive(path + ".epsilon", adadelta.epsilon());
  checker->NotNegative(path + ".weight_decay", adadelta.weight_decay());
}

void CheckLion(const v1::Lion& lion, const std::string& path, FieldChecker* checker) {
  checker->Positive(path + ".learning_rate", lion.learning_rate());
  checker->Fraction(path + ".beta1", lion.beta1());
  checker->Fraction(path + ".beta2", lion.beta2());
  checker->NotNegative(path + ".weight_decay", lion.weight_decay());
}

void CheckMuon(const v1::Muon& muon, const std::string& path, FieldChecker* checker) {
  checker->Positive(path + ".learning_rate", muon.learning_rate());
  checker->Fraction(path + ".momentum", muon.momentum());
  checker->NotNegative(path + ".weight_decay", muon.weight_decay());
  checker->WholeNumber(path + ".newton_schulz_steps", muon.newton_schulz_steps(), 1, 99);
  checker->Positive(path + ".epsilon", muon.epsilon());
  CheckAdam(muon.adamw(), path + ".adamw", checker);
}

void CheckOptimizer(const v1::OptimizerChoice& optimizer, const std::string& path,
                    FieldChecker* checker) {
  switch (optimizer.optimizer_case()) {
    case v1::OptimizerChoice::kSgd:
      return CheckSgd(optimizer.sgd(), path + ".sgd", checker);
    case v1::OptimizerChoice::kAdam:
      return CheckAdam(optimizer.adam(), path + ".adam", checker);
    case v1::OptimizerChoice::kAdamw:
      return CheckAdam(optimizer.adamw(), path + ".adamw", checker);
    case v1::OptimizerChoice::kRmsprop:
      return CheckRmsprop(optimizer.rmsprop(), path + ".rmsprop", checker);
    case v1::OptimizerChoice::kAdagrad:
      return CheckAdagrad(optimizer.adagrad(), path + ".adagrad", checker);
    case v1::OptimizerChoice::kAdadelta:
      return CheckAdadelta(optimizer.adadelta(), path + ".adadelta", checker);
    case v1::OptimizerChoice::kLamb:
      return CheckAdam(optimizer.lamb(), path + ".lamb", checker);
    case v1::OptimizerChoice::kLion:
      return CheckLion(optimizer.lion(), path + ".lion", checker);
    case v1::OptimizerChoice::kMuon:
      return CheckMuon(optimizer.muon(), path + ".muon", checker);
    case v1::OptimizerChoice::OPTIMIZER_NOT_SET:
      return checker->Missing(path, kOptimizers);
  }
}

void CheckMultistep(const v1::MultistepSchedule& multistep, const std::string& path,
                    FieldChecker* checker) {
  const auto& milestones = multistep.milestones();
  if (milestones.empty()) checker->Missing(path + ".milestones", "at least one");
  if (milestones.size() > kMaxMilestones) {
    checker->AddRange(path + ".milestones", absl::StrCat(milestones.size(), " of them"),
                      absl::StrCat("at most ", kMaxMilestones));
  }
  for (int i = 1; i < milestones.size(); ++i) {
    if (milestones[i] >= milestones[i - 1]) continue;
    checker->Add(
        absl::StrCat(path, ".milestones[", i, "]"),
        absl::StrCat("got ", milestones[i], " after ", milestones[i - 1], ", want them ascending"));
  }
  checker->Positive(path + ".gamma", multistep.gamma());
}

void CheckPlateau(const v1::JobSpec& spec, const std::string& path, FieldChecker* checker) {
  const v1::PlateauSchedule& plateau = spec.learning_rate_schedule().plateau();
  checker->BetweenZeroAndOne(path + ".factor", plateau.factor());
  checker->Fraction(path + ".threshold", plateau.threshold());
  checker->UpToOne(path + ".final_factor", plateau.final_factor());
  const bool none = !spec.data().has_validation() && !(spec.data().validation_fraction() > 0);
  const bool empty = spec.has_data_summary() && spec.data_summary().validation_examples() == 0;
  if (none || empty) {
    checker->Add(path,
                 "got no validation examples, want data.validation or data.validation_fraction");
  }
}

void CheckSchedule(const v1::JobSpec& spec, FieldChecker* checker) {
  const v1::ScheduleChoice& schedule = spec.learning_rate_schedule();
  const std::string path = "learning_rate_schedule";
  switch (schedule.schedule_case()) {
    case v1::ScheduleChoice::kStep:
      checker->WholeNumber(path + ".step.step_size", schedule.step().step_size(), 1, kMaxSteps);
      return checker->Positive(path + ".step.gamma", schedule.step().gamma());
    case v1::ScheduleChoice::kMultistep:
      return CheckMultistep(schedule.multistep(), path + ".multistep", checker);
    case v1::ScheduleChoice::kExponential:
      return checker->Positive(path + ".exponential.gamma", schedule.exponential().gamma());
    case v1::ScheduleChoice::kCosine:
      return checker->UpToOne(path + ".cosine.final_factor", schedule.cosine().final_factor());
    case v1::ScheduleChoice::kCosineRestarts:
      checker->WholeNumber(path + ".cosine_restarts.first_cycle_steps",
                           schedule.cosine_restarts().first_cycle_steps(), 1, kMaxSteps);
      checker->WholeNumber(path + ".cosine_restarts.cycle_multiplier",
                           schedule.cosine_restarts().cycle_multiplier(), 1, kMaxSteps);
      return checker->UpToOne(path + ".cosine_restarts.final_factor",
                              schedule.cosine_restarts().final_factor());
    case v1::ScheduleChoice::kLinear:
      return checker->UpToOne(path + ".linear.final_factor", schedule.linear().final_factor());
    case v1::ScheduleChoice::kOneCycle:
      checker->UpToOne(path + ".one_cycle.warmup_fraction", schedule.one_cycle().warmup_fraction());
      checker->Positive(path + ".one_cycle.initial_divisor",
                        schedule.one_cycle().initial_divisor());
      return checker->Positive(path + ".one_cycle.final_divisor",
                               schedule.one_cycle().final_divisor());
    case v1::ScheduleChoice::kPlateau:
      return CheckPlateau(spec, path + ".plateau", checker);
    case v1::ScheduleChoice::kConstant:
    case v1::ScheduleChoice::kInverseSquareRoot:
    case v1::ScheduleChoice::SCHEDULE_NOT_SET:
      return;
  }
}

void CheckGroup(const v1::ParameterGroup& group, const std::string& path, FieldChecker* checker) {
  if (group.parameters().empty()) checker->Missing(path + ".parameters", "at least one pattern");
  if (group.parameters_size() > kMaxPatterns) {
    checker->AddRange(path + ".parameters", absl::StrCat(group.parameters_size(), " patterns"),
                      absl::StrCat("at most ", kMaxPatterns));
  }
  for (int i = 0; i < group.parameters_size(); ++i) {
    if (!group.parameters(i).empty()) continue;
    checker->Missing(absl::StrCat(path, ".parameters[", i, "]"), "a pattern such as \"*.bias\"");
  }
  checker->Positive(path + ".learning_rate_factor", group.learning_rate_factor());
  if (group.has_weight_decay()) {
    checker->NotNegative(path + ".weight_decay", group.weight_decay());
  }
  if (group.has_optimizer()) CheckOptimizer(group.optimizer(), path + ".optimizer", checker);
}

}  // namespace

void FillOptimizerDefaults(v1::OptimizerChoice* optimizer) {
  switch (optimizer->optimizer_case()) {
    case v1::OptimizerChoice::kSgd:
      return FillSgd(optimizer->mutable_sgd());
    case v1::OptimizerChoice::kAdam:
      return FillAdam(optimizer->mutable_adam(), 0.0f);
    case v1::OptimizerChoice::kAdamw:
      return FillAdam(optimizer->mutable_adamw(), 0.01f);
    case v1::OptimizerChoice::kRmsprop:
      return FillRmsprop(optimizer->mutable_rmsprop());
    case v1::OptimizerChoice::kAdagrad:
      return FillAdagrad(optimizer->mutable_adagrad());
    case v1::OptimizerChoice::kAdadelta:
      return FillAdadelta(optimizer->mutable_adadelta());
    case v1::OptimizerChoice::kLamb:
      return FillLamb(optimizer->mutable_lamb());
    case v1::OptimizerChoice::kLion:
      return FillLion(optimizer->mutable_lion());
    case v1::OptimizerChoice::kMuon:
      return FillMuon(optimizer->mutable_muon());
    case v1::OptimizerChoice::OPTIMIZER_NOT_SET:
      return;
  }
}

void FillScheduleDefaults(v1::ScheduleChoice* schedule) {
  switch (schedule->schedule_case()) {
    case v1::ScheduleChoice::kStep:
      LOCKSTEP_DEFAULT(schedule->mutable_step(), gamma, 0.1);
      LOCKSTEP_DEFAULT(schedule->mutable_step(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kCosine:
      LOCKSTEP_DEFAULT(schedule->mutable_cosine(), final_factor, 0.0);
      LOCKSTEP_DEFAULT(schedule->mutable_cosine(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kLinear:
      LOCKSTEP_DEFAULT(schedule->mutable_linear(), final_factor, 0.0);
      LOCKSTEP_DEFAULT(schedule->mutable_linear(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kMultistep:
      LOCKSTEP_DEFAULT(schedule->mutable_multistep(), gamma, 0.1);
      LOCKSTEP_DEFAULT(schedule->mutable_multistep(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kExponential:
      LOCKSTEP_DEFAULT(schedule->mutable_exponential(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kCosineRestarts:
      LOCKSTEP_DEFAULT(schedule->mutable_cosine_restarts(), cycle_multiplier, 1);
      LOCKSTEP_DEFAULT(schedule->mutable_cosine_restarts(), final_factor, 0.0);
      LOCKSTEP_DEFAULT(schedule->mutable_cosine_restarts(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kOneCycle:
      LOCKSTEP_DEFAULT(schedule->mutable_one_cycle(), warmup_fraction, 0.3);
      LOCKSTEP_DEFAULT(schedule->mutable_one_cycle(), initial_divisor, 25.0);
      LOCKSTEP_DEFAULT(schedule->mutable_one_cycle(), final_divisor, 10000.0);
      break;
    case v1::ScheduleChoice::kInverseSquareRoot:
      LOCKSTEP_DEFAULT(schedule->mutable_inverse_square_root(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kPlateau:
      LOCKSTEP_DEFAULT(schedule->mutable_plateau(), factor, 0.1);
      LOCKSTEP_DEFAULT(schedule->mutable_plateau(), patience, 10);
      LOCKSTEP_DEFAULT(schedule->mutable_plateau(), threshold, 0.0001);
      LOCKSTEP_DEFAULT(schedule->mutable_plateau(), cooldown, 0);
      LOCKSTEP_DEFAULT(schedule->mutable_plateau(), final_factor, 0.0);
      LOCKSTEP_DEFAULT(schedule->mutable_plateau(), warmup_steps, 0);
      break;
    case v1::ScheduleChoice::kConstant:
    case v1::ScheduleChoice::SCHEDULE_NOT_SET:
      LOCKSTEP_DEFAULT(schedule->mutable_constant(), warmup_steps, 0);
      break;
  }
}

void FillTrainingDefaults(v1::JobSpec* spec) {
  if (spec->has_optimizer()) FillOptimizerDefaults(spec->mutable_optimizer());
  FillScheduleDefaults(spec->mutable_learning_rate_schedule());
  for (v1::ParameterGroup& group : *spec->mutable_parameter_groups()) {
    LOCKSTEP_DEFAULT(&group, learning_rate_factor, 1.0f);
    LOCKSTEP_DEFAULT(&group, frozen, false);
    if (group.has_optimizer()) FillOptimizerDefaults(group.mutable_optimizer());
  }
  if (spec->has_ema()) LOCKSTEP_DEFAULT(spec->mutable_ema(), decay, 0.999);
}

void CheckTraining(const v1::JobSpec& spec, FieldChecker* checker) {
  CheckOptimizer(spec.optimizer(), "optimizer", checker);
  CheckSchedule(spec, checker);
  const v1::GradientClipping& clipping = spec.gradient_clipping();
  if (clipping.has_max_value()) {
    checker->Positive("gradient_clipping.max_value", clipping.max_value());
  }
  if (clipping.has_max_norm()) checker->Positive("gradient_clipping.max_norm", clipping.max_norm());
  if (spec.parameter_groups_size() > kMaxGroups) {
    checker->AddRange("parameter_groups", absl::StrCat(spec.parameter_groups_size(), " groups"),
                      absl::StrCat("at most ", kMaxGroups));
  }
  for (int i = 0; i < spec.parameter_groups_size(); ++i) {
    CheckGroup(spec.parameter_groups(i), absl::StrCat("parameter_groups[", i, "]"), checker);
  }
  if (spec.has_ema()) checker->BetweenZeroAndOne("ema.decay", spec.ema().decay());
}

}  // namespace lockstep
