#include "server/training_measurements.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lockstep::server {
namespace {

// Metadata of a checkpoint in the middle of an epoch: what the epoch's mean
// loss is made of so far. Numbers are written so that they read back exactly.
constexpr char kEpochLossSum[] = "epoch_loss_sum";
constexpr char kEpochExamples[] = "epoch_examples";
constexpr char kEpochSeconds[] = "epoch_seconds";
constexpr char kTrainingSeconds[] = "training_seconds";
constexpr char kTrainingLoss[] = "training_loss";
constexpr char kMeasuredStep[] = "measured_step";

std::string ExactText(double value) { return absl::StrFormat("%.17g", value); }

// 0 where the key is missing or no number.
double NumberOf(const std::map<std::string, std::string>& metadata, const char* key) {
  double value = 0;
  const auto found = metadata.find(key);
  if (found == metadata.end() || !absl::SimpleAtod(found->second, &value)) return 0;
  return value;
}

}  // namespace

TrainingMeasurements::TrainingMeasurements(const JobPlan& plan, optim::Plateau plateau,
                                           std::vector<v1::EpochMetrics> epochs)
    : plan_(plan), epochs_(std::move(epochs)), plateau_(std::move(plateau)) {}

void TrainingMeasurements::Add(absl::Time now, absl::Duration duration, uint64_t examples,
                               double loss_sum) {
  training_loss_ = loss_sum / static_cast<double>(examples);
  throughput_.Add(now, duration, examples);
  training_seconds_ += absl::ToDoubleSeconds(duration);
  epoch_seconds_ += absl::ToDoubleSeconds(duration);
  epoch_loss_sum_ += loss_sum;
  epoch_examples_ += examples;
}

const v1::EpochMetrics& TrainingMeasurements::EndEpoch(uint64_t step,
                                                       const std::optional<Losses>& validation) {
  v1::EpochMetrics& metrics = epochs_.emplace_back();
  metrics.set_step(step);
  metrics.set_epoch((step + plan_.steps_per_epoch - 1) / plan_.steps_per_epoch);
  const double examples = static_cast<double>(std::max<uint64_t>(epoch_examples_, 1));
  metrics.set_training_loss(epoch_loss_sum_ / examples);
  metrics.set_examples_per_second(epoch_seconds_ > 0 ? examples / epoch_seconds_ : 0);
  if (validation.has_value()) {
    const double count = static_cast<double>(plan_.validation_examples);
    metrics.set_validation_loss(validation->sum / count);
    plateau_.Observe(step, metrics.validation_loss());
    if (validation->predictions > 0) {
      metrics.set_validation_accuracy(static_cast<double>(validation->correct) /
                                      static_cast<double>(validation->predictions));
    }
  }
  measured_step_ = step;
  epoch_loss_sum_ = epoch_seconds_ = 0;
  epoch_examples_ = 0;
  return metrics;
}

bool TrainingMeasurements::newest_is_best() const {
  const v1::EpochMetrics& newest = epochs_.back();
  return std::all_of(epochs_.begin(), epochs_.end() - 1, [&newest](const auto& before) {
    return newest.has_validation_loss() && before.validation_loss() > newest.validation_loss();
  });
}

bool TrainingMeasurements::IsMeasured(uint64_t step) const {
  return measured_step_ == step ||
         std::any_of(epochs_.begin(), epochs_.end(),
                     [step](const v1::EpochMetrics& epoch) { return epoch.step() == step; });
}

void TrainingMeasurements::Save(std::map<std::string, std::string>* metadata) const {
  (*metadata)[kEpochLossSum] = ExactText(epoch_loss_sum_);
  (*metadata)[kEpochExamples] = absl::StrCat(epoch_examples_);
  (*metadata)[kEpochSeconds] = ExactText(epoch_seconds_);
  (*metadata)[kTrainingSeconds] = ExactText(training_seconds_);
  plateau_.Save(metadata);
  if (measured_step_.has_value()) (*metadata)[kMeasuredStep] = absl::StrCat(*measured_step_);
  if (training_loss_.has_value()) (*metadata)[kTrainingLoss] = ExactText(*training_loss_);
}

void TrainingMeasurements::Load(const std::map<std::string, std::string>& metadata,
                                bool is_forked) {
  plateau_.Load(metadata);
  if (metadata.count(kMeasuredStep) > 0) {
    measured_step_ = static_cast<uint64_t>(NumberOf(metadata, kMeasuredStep));
  }
  if (is_forked) return;
  epoch_loss_sum_ = NumberOf(metadata, kEpochLossSum);
  epoch_examples_ = static_cast<uint64_t>(NumberOf(metadata, kEpochExamples));
  epoch_seconds_ = NumberOf(metadata, kEpochSeconds);
  training_seconds_ = NumberOf(metadata, kTrainingSeconds);
  if (metadata.count(kTrainingLoss) > 0) training_loss_ = NumberOf(metadata, kTrainingLoss);
}

void TrainingMeasurements::Describe(uint64_t step, v1::Progress* progress) const {
  progress->set_step(step);
  progress->set_total_steps(plan_.total_steps);
  progress->set_epoch(step == plan_.total_steps ? plan_.total_epochs
                                                : step / plan_.steps_per_epoch);
  progress->set_total_epochs(plan_.total_epochs);
  progress->set_training_examples(plan_.training_examples);
  progress->set_validation_examples(plan_.validation_examples);
  if (training_loss_.has_value()) progress->set_training_loss(*training_loss_);
  *progress->mutable_epochs() = {epochs_.begin(), epochs_.end()};
  if (!epochs_.empty() && epochs_.back().has_validation_loss()) {
    progress->set_validation_loss(epochs_.back().validation_loss());
  }
  if (!epochs_.empty() && epochs_.back().has_validation_accuracy()) {
    progress->set_validation_accuracy(epochs_.back().validation_accuracy());
  }
  const double pace = throughput_.ExamplesPerSecond();
  progress->set_examples_per_second(pace);
  progress->set_training_seconds(training_seconds_);
  if (pace > 0) {
    const double left =
        static_cast<double>(plan_.total_steps - step) * static_cast<double>(plan_.batch_size);
    progress->set_eta_seconds(left / pace);
  }
}

}  // namespace lockstep::server
