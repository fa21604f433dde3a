// Optimizer and schedule from their messages.
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/model/build_model.h"
#include "engine/model/field_error.h"
#include "engine/optim/adam.h"
#include "engine/optim/sgd.h"

namespace lockstep {
namespace {

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

// Collects the first field that is out of its range.
class RangeCheck {
 public:
  explicit RangeCheck(std::string path) : path_(std::move(path)) {}

  void Positive(const char* field, double got) {
    if (!(std::isfinite(got) && got > 0)) Refuse(field, got, "a finite number > 0");
  }
  void NotNegative(const char* field, double got) {
    if (!(std::isfinite(got) && got >= 0)) Refuse(field, got, "a finite number >= 0");
  }
  void BelowOne(const char* field, double got) {
    if (!(got >= 0 && got < 1)) Refuse(field, got, "0 <= it < 1");
  }
  void UpToOne(const char* field, double got) {
    if (!(got >= 0 && got <= 1)) Refuse(field, got, "0 to 1");
  }
  template <typename T>
  void Refuse(const char* field, const T& got, const char* wanted) {
    if (!status_.ok()) return;
    status_ =
        FieldError(absl::StrCat(path_, ".", field), absl::StrCat("got ", got, ", want ", wanted));
  }
  const absl::Status& status() const { return status_; }

 private:
  const std::string path_;
  absl::Status status_;
};

absl::StatusOr<std::unique_ptr<optim::Optimizer>> MakeSgd(const v1::Sgd& sgd) {
  RangeCheck check("optimizer.sgd");
  check.Positive("learning_rate", sgd.learning_rate());
  check.BelowOne("momentum", sgd.momentum());
  check.NotNegative("weight_decay", sgd.weight_decay());
  if (sgd.nesterov() && sgd.momentum() == 0)
    check.Refuse("nesterov", "true", "momentum > 0 with it");
  if (!check.status().ok()) return check.status();
  optim::SgdOptions options;
  options.learning_rate = DecimalValue(sgd.learning_rate());
  options.momentum = DecimalValue(sgd.momentum());
  options.weight_decay = DecimalValue(sgd.weight_decay());
  options.nesterov = sgd.nesterov();
  return std::make_unique<optim::Sgd>(options);
}

absl::StatusOr<std::unique_ptr<optim::Optimizer>> MakeAdam(const v1::Adam& adam) {
  optim::AdamOptions options;  // its defaults are job.proto's
  if (adam.has_learning_rate()) options.learning_rate = DecimalValue(adam.learning_rate());
  if (adam.has_beta1()) options.beta1 = DecimalValue(adam.beta1());
  if (adam.has_beta2()) options.beta2 = DecimalValue(adam.beta2());
  if (adam.has_epsilon()) options.epsilon = DecimalValue(adam.epsilon());
  if (adam.has_weight_decay()) options.weight_decay = DecimalValue(adam.weight_decay());
  RangeCheck check("optimizer.adam");
  check.Positive("learning_rate", options.learning_rate);
  check.BelowOne("beta1", options.beta1);
  check.BelowOne("beta2", options.beta2);
  check.Positive("epsilon", options.epsilon);
  check.NotNegative("weight_decay", options.weight_decay);
  if (!check.status().ok()) return check.status();
  return std::make_unique<optim::Adam>(options);
}

absl::StatusOr<optim::Schedule> MakeStep(const v1::StepSchedule& step) {
  optim::Schedule schedule;
  schedule.kind = optim::ScheduleKind::kStep;
  schedule.step_size_epochs = step.step_size();
  if (step.has_gamma()) schedule.gamma = step.gamma();
  schedule.warmup_steps = step.warmup_steps();
  RangeCheck check("learning_rate_schedule.step");
  if (step.step_size() == 0) check.Refuse("step_size", 0, "a whole number >= 1");
  check.Positive("gamma", schedule.gamma);
  if (!check.status().ok()) return check.status();
  return schedule;
}

// CosineSchedule and LinearSchedule have the same fields.
template <typename Message>
absl::StatusOr<optim::Schedule> MakeFalling(optim::ScheduleKind kind, const char* name,
                                            const Message& message) {
  RangeCheck check(absl::StrCat("learning_rate_schedule.", name));
  check.UpToOne("final_factor", message.final_factor());
  if (!check.status().ok()) return check.status();
  optim::Schedule schedule;
  schedule.kind = kind;
  schedule.final_factor = message.final_factor();
  schedule.warmup_steps = message.warmup_steps();
  return schedule;
}

}  // namespace

absl::StatusOr<std::unique_ptr<optim::Optimizer>> MakeOptimizer(const v1::OptimizerChoice& choice) {
  switch (choice.optimizer_case()) {
    case v1::OptimizerChoice::kSgd:
      return MakeSgd(choice.sgd());
    case v1::OptimizerChoice::kAdam:
      return MakeAdam(choice.adam());
    case v1::OptimizerChoice::OPTIMIZER_NOT_SET:
      break;
  }
  return FieldError("optimizer", "missing, want sgd or adam");
}

absl::StatusOr<optim::Schedule> MakeSchedule(const v1::ScheduleChoice& choice) {
  switch (choice.schedule_case()) {
    case v1::ScheduleChoice::kStep:
      return MakeStep(choice.step());
    case v1::ScheduleChoice::kCosine:
      return MakeFalling(optim::ScheduleKind::kCosine, "cosine", choice.cosine());
    case v1::ScheduleChoice::kLinear:
      return MakeFalling(optim::ScheduleKind::kLinear, "linear", choice.linear());
    case v1::ScheduleChoice::kConstant:
    case v1::ScheduleChoice::SCHEDULE_NOT_SET:
      break;
  }
  optim::Schedule schedule;
  schedule.warmup_steps = choice.constant().warmup_steps();
  return schedule;
}

}  // namespace lockstep
