// How a JobRunner comes to be, ends, and is described; job_runner.cc has what it
// does in between.
#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/model/build_model.h"
#include "engine/model/build_optimizer.h"
#include "engine/model/machine_memory.h"
#include "engine/storage.h"
#include "engine/tensor_digest.h"
#include "server/job_runner.h"

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

Shape ExampleShape(const v1::JobSpec& spec) {
  const auto& extents = spec.data_summary().example_shape();
  return Shape(std::vector<int64_t>(extents.begin(), extents.end()));
}

}  // namespace

absl::Status JobRunner::CheckMemory(const v1::JobSpec& spec, const ModelPlan& plan,
                                    uint64_t bytes) {
  const auto rules = MakeServerRules(spec, plan.layout);
  if (!rules.ok()) return rules.status();
  // Present and next parameters and two gradients, and where the whole is
  // needed that; of each state and the average the present one, and copies in a
  // checkpoint that waits and one that is written.
  const uint64_t states = rules->state_count() + (rules->average_decay != 0 ? 1 : 0);
  const uint64_t copies = 5 + 3 * states;
  return CheckFitsMemory("model: training it on the server",
                         copies * plan.layout.total_elements() * sizeof(float), bytes);
}

absl::StatusOr<std::unique_ptr<ParameterStore>> JobRunner::MakeStore(const v1::JobSpec& spec,
                                                                     const LayerRegistry& layers) {
  const auto plan = PlanModel(spec, ExampleShape(spec), layers);
  if (!plan.ok()) return plan.status();
  const absl::Status fits = CheckMemory(spec, *plan, ReadMachineMemory().available_bytes);
  if (!fits.ok()) return fits;
  auto model = BuildModel(spec, ExampleShape(spec), layers);
  if (!model.ok()) return model.status();
  nn::ParameterLayout layout = nn::ParameterLayout::Of(**model);
  if (layout.total_elements() == 0) {
    return absl::InvalidArgumentError("model: got no parameters, want a layer that has some");
  }
  Tensor parameters = nn::CopyParameters(**model, layout);
  auto rules = MakeServerRules(spec, layout);
  if (!rules.ok()) return rules.status();
  return std::make_unique<ParameterStore>(std::move(layout), *std::move(rules),
                                          std::move(parameters));
}

absl::StatusOr<std::shared_ptr<JobRunner>> JobRunner::Create(Options options) {
  auto store = MakeStore(options.spec, options.layers);
  if (!store.ok()) return store.status();
  const std::optional<Checkpoint> checkpoint = std::move(options.checkpoint);
  const bool is_forked = options.checkpoint_is_forked;
  const auto initial = std::move(options.initial_parameters);
  std::shared_ptr<JobRunner> runner(new JobRunner(std::move(options), *std::move(store)));
  absl::MutexLock lock(&runner->mutex_);
  absl::Status status;
  if (checkpoint.has_value()) {
    status = runner->Restore(*checkpoint, is_forked);
  } else if (initial.has_value()) {
    status = runner->store_->LoadParameters(*initial);
  }
  if (!status.ok()) return status;
  // What the model was built in is as large as the parameters, and of no use here.
  *model = nullptr;
  ReleaseStorageCache();
  return runner;
}

JobRunner::JobRunner(Options options, std::unique_ptr<ParameterStore> store)
    : job_id_(std::move(options.job_id)),
      spec_(std::move(options.spec)),
      plan_(JobPlan::For(spec_)),
      now_(std::move(options.now)),
      host_(options.host),
      schedule_(MakeSchedule(spec_.learning_rate_schedule())),
      store_(std::move(store)),
      waiting_since_(now_()),
      epochs_(std::move(options.epochs)),
      plateau_(MakePlateau(spec_.learning_rate_schedule())) {}

absl::Status JobRunner::Restore(const Checkpoint& checkpoint, bool is_forked) {
  if (is_forked && checkpoint.step >= plan_.total_steps) {
    return absl::InvalidArgumentError(absl::StrCat("steps: got ", plan_.total_steps,
                                                   " in all, want more than the ", checkpoint.step,
                                                   " that the checkpoint has behind it"));
  }
  if (checkpoint.step > plan_.total_steps) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint: got step ", checkpoint.step,
                                                   ", want at most ", plan_.total_steps));
  }
  if (auto status = store_->LoadParameters(checkpoint.parameters); !status.ok()) return status;
  if (!(is_forked && spec_.forked_from().fresh_optimizer())) {
    const absl::Status status = store_->LoadOptimizerState(checkpoint.optimizer_state);
    if (!status.ok()) return status;
  }
  step_ = checkpoint.step;
  const auto& metadata = checkpoint.metadata;
  plateau_.Load(metadata);
  if (metadata.count(kMeasuredStep) > 0) {
    measured_step_ = static_cast<uint64_t>(NumberOf(metadata, kMeasuredStep));
  }
  const bool measured =
      measured_step_ == step_ ||
      std::any_of(epochs_.begin(), epochs_.end(),
                  [this](const v1::EpochMetrics& epoch) { return epoch.step() == step_; });
  if (plan_.EndsEpoch(step_) && plan_.validation_examples > 0 && !measured) kind_ = v1::EVALUATE;
  // Another job's time and losses are not this one's.
  if (is_forked) return absl::OkStatus();
  epoch_loss_sum_ = NumberOf(metadata, kEpochLossSum);
  epoch_examples_ = static_cast<uint64_t>(NumberOf(metadata, kEpochExamples));
  epoch_seconds_ = NumberOf(metadata, kEpochSeconds);
  training_seconds_ = NumberOf(metadata, kTrainingSeconds);
  if (metadata.count(kTrainingLoss) > 0) training_loss_ = NumberOf(metadata, kTrainingLoss);
  return absl::OkStatus();
}

// ---- the end

void JobRunner::Stop(v1::JobState state, const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  stop_ = {state, reason};
  if (!in_round_) {
    Advance();
  } else if (!freed_.empty()) {
    HandOutFreedNodes();
  }
}

void JobRunner::Fail(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (!ended_) End(v1::FAILED, reason, /*with_checkpoint=*/false);
}

void JobRunner::End(v1::JobState state, const std::string& reason, bool with_checkpoint) {
  ended_ = true;
  in_round_ = false;
  aggregation_ = nullptr;
  std::optional<Checkpoint> checkpoint;
  if (with_checkpoint) checkpoint = Snapshot();
  host_->OnEnded(job_id_, state, reason, std::move(checkpoint));
}

void JobRunner::RecordDigest() {
  if (digested_step_ == step_) return;
  digested_step_ = step_;
  v1::StepDigest digest;
  digest.set_step(step_);
  for (const data::NamedTensor& parameter : store_->NamedParameters()) {
    digest.add_tensors(DigestOf(std::as_const(parameter.tensor).span<float>()));
  }
  const size_t chunks = store_->chunk_count();
  for (size_t at = 0; at < shard_chunk_digests_.size(); at += chunks) {
    uint64_t shard = 0;
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      shard = MixDigests(shard, shard_chunk_digests_[at + chunk]);
    }
    digest.add_shards(shard);
  }
  host_->OnDigest(job_id_, digest);
}

std::vector<std::string> JobRunner::ParameterNames() const {
  std::vector<std::string> names;
  for (const nn::ParameterSlot& slot : store_->layout().slots()) names.push_back(slot.name);
  return names;
}

Checkpoint JobRunner::Snapshot() {
  if (step_ > 0) RecordDigest();
  Checkpoint checkpoint;
  checkpoint.step = step_;
  checkpoint.parameters = store_->NamedParameters();
  checkpoint.optimizer_state = store_->CopyOptimizerState();
  checkpoint.metadata = {{kEpochLossSum, ExactText(epoch_loss_sum_)},
                         {kEpochExamples, absl::StrCat(epoch_examples_)},
                         {kEpochSeconds, ExactText(epoch_seconds_)},
                         {kTrainingSeconds, ExactText(training_seconds_)}};
  checkpoint.metadata["optimizer"] = store_->DescribeOptimizer();
  plateau_.Save(&checkpoint.metadata);
  if (measured_step_.has_value()) {
    checkpoint.metadata[kMeasuredStep] = absl::StrCat(*measured_step_);
  }
  if (training_loss_.has_value()) checkpoint.metadata[kTrainingLoss] = ExactText(*training_loss_);
  return checkpoint;
}

// ---- what people see

std::string JobRunner::WaitingReason() const {
  std::string reason = absl::StrCat(
      "waiting for workers: has ", ReadyWorkers().size(), ", needs ", spec_.workers().min(),
      ", since ", absl::FormatTime("%H:%M:%S UTC", waiting_since_, absl::UTCTimeZone()));
  const size_t preparing = participants_.size() - ReadyWorkers().size();
  if (preparing > 0) absl::StrAppend(&reason, "; ", preparing, " loading the data");
  for (const auto& entry : refusals_) {
    absl::StrAppend(&reason, "; ", entry.first, " cannot take part: ", entry.second);
  }
  return reason;
}

std::string JobRunner::DivergenceReason() const {
  return absl::StrCat("training loss is ", *training_loss_, " at step ", step_,
                      ", want a finite number",
                      anomalies_.empty() ? "" : "; " + anomalies_.begin()->second,
                      " (a smaller learning rate may help)");
}

std::string JobRunner::SlowRoundReason() const {
  // A worker that hangs and yet sends heartbeats keeps its lease.
  const double mean = step_ == 0 ? 0 : training_seconds_ / static_cast<double>(step_);
  const absl::Duration elapsed = now_() - round_started_;
  if (elapsed < std::max(absl::Seconds(30), 10 * absl::Seconds(mean))) return "";
  std::string reason = absl::StrCat("step ", step_, " goes on for ", absl::ToInt64Seconds(elapsed),
                                    " s, waiting for");
  for (const auto& entry : participants_) {
    if (entry.second.outstanding.empty()) continue;
    absl::StrAppend(&reason, " ", entry.first, " (shards ", entry.second.first_shard, " to ",
                    entry.second.end_shard - 1, ")");
  }
  return reason;
}

void JobRunner::FillProgress(v1::Job* job) const {
  absl::MutexLock lock(&mutex_);
  v1::Progress& progress = *job->mutable_progress();
  progress.set_step(step_);
  progress.set_total_steps(plan_.total_steps);
  progress.set_epoch(step_ == plan_.total_steps ? plan_.total_epochs
                                                : step_ / plan_.steps_per_epoch);
  progress.set_total_epochs(plan_.total_epochs);
  progress.set_training_examples(plan_.training_examples);
  progress.set_validation_examples(plan_.validation_examples);
  if (training_loss_.has_value()) progress.set_training_loss(*training_loss_);
  progress.clear_epochs();
  for (const v1::EpochMetrics& epoch : epochs_) *progress.add_epochs() = epoch;
  if (!epochs_.empty() && epochs_.back().has_validation_loss()) {
    progress.set_validation_loss(epochs_.back().validation_loss());
  }
  if (!epochs_.empty() && epochs_.back().has_validation_accuracy()) {
    progress.set_validation_accuracy(epochs_.back().validation_accuracy());
  }
  const double pace = throughput_.ExamplesPerSecond();
  progress.set_examples_per_second(pace);
  progress.set_training_seconds(training_seconds_);
  if (pace > 0) {
    const double left =
        static_cast<double>(plan_.total_steps - step_) * static_cast<double>(plan_.batch_size);
    progress.set_eta_seconds(left / pace);
  }
  job->clear_workers();
  for (const auto& entry : participants_) {
    v1::JobWorker& worker = *job->add_workers();
    worker.set_name(entry.first);
    worker.set_first_shard(entry.second.first_shard);
    worker.set_end_shard(entry.second.end_shard);
  }
  if (!ended_ && waiting_) {
    job->set_state_reason(WaitingReason());
  } else if (!ended_ && in_round_) {
    job->set_state_reason(SlowRoundReason());
  }
}

}  // namespace lockstep::server
