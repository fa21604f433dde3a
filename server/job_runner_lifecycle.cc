// How a JobRunner comes to be, ends, and is described; job_runner.cc has its course
// in between.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/build_optimizer.h"
#include "engine/tensor_digest.h"
#include "server/build_parameter_store.h"
#include "server/job_runner.h"
#include "server/waiting_for_workers.h"
#include "server/work_counts.h"

namespace lockstep::server {

absl::StatusOr<std::shared_ptr<JobRunner>> JobRunner::Create(Options options) {
  auto store = BuildParameterStore(options.spec, options.layers);
  if (!store.ok()) return store.status();
  const std::optional<Checkpoint> checkpoint = std::move(options.checkpoint);
  const bool is_forked = options.checkpoint_is_forked;
  const auto initial = std::move(options.initial_parameters);
  std::optional<Rewind> rewind = std::move(options.rewind);
  std::shared_ptr<JobRunner> runner(new JobRunner(std::move(options), *std::move(store)));
  absl::MutexLock lock(&runner->mutex_);
  absl::Status status;
  if (checkpoint.has_value()) {
    status = runner->Restore(*checkpoint, is_forked);
  } else if (initial.has_value()) {
    status = runner->store_->LoadParameters(*initial);
  }
  if (!status.ok()) return status;
  // After Restore: its counts include what came after the checkpoint.
  if (rewind.has_value()) runner->GoOnFrom(*std::move(rewind));
  return runner;
}

JobRunner::JobRunner(Options options, std::unique_ptr<ParameterStore> store)
    : job_id_(std::move(options.job_id)),
      spec_(std::move(options.spec)),
      plan_(JobPlan::For(spec_)),
      now_(std::move(options.now)),
      host_(options.host),
      scratch_folder_(std::move(options.scratch_folder)),
      schedule_(MakeSchedule(spec_.learning_rate_schedule())),
      store_(std::move(store)),
      waiting_since_(now_()),
      ledger_(plan_),
      last_checkpoint_(waiting_since_),
      measurements_(plan_, MakePlateau(spec_.learning_rate_schedule()), std::move(options.epochs)) {
}

void JobRunner::GoOnFrom(Rewind rewind) {
  disputes_ = std::move(rewind.disputes);
  round_ = rewind.next_round;
  shards_audited_ = rewind.shards_audited;
  shards_speculated_ = rewind.shards_speculated;
  answers_dropped_ = rewind.answers_dropped;
  most_sums_ = rewind.most_sums;
  announced_ = true;
}

absl::Status JobRunner::Restore(const Checkpoint& checkpoint, bool is_forked) {
  const absl::Status loaded = RestoreParameterStore(spec_, checkpoint, is_forked, store_.get());
  if (!loaded.ok()) return loaded;
  step_ = checkpoint.step;
  measurements_.Load(checkpoint.metadata, is_forked);
  const bool measured = measurements_.IsMeasured(step_);
  if (plan_.EndsEpoch(step_) && plan_.validation_examples > 0 && !measured) kind_ = v1::EVALUATE;
  ledger_.Load(checkpoint.metadata, step_);
  if (is_forked) return absl::OkStatus();
  WorkCounts counts;
  counts.Load(checkpoint.metadata);
  shards_audited_ = counts.shards_audited;
  shards_speculated_ = counts.shards_speculated;
  answers_dropped_ = counts.answers_dropped;
  return absl::OkStatus();
}

// ---- the end

void JobRunner::Stop(v1::JobState state, const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  stop_ = {state, reason};
  GoOn();
}

void JobRunner::Fail(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (!ended_) End(v1::FAILED, reason, /*with_checkpoint=*/false);
}

void JobRunner::End(v1::JobState state, const std::string& reason, bool with_checkpoint) {
  ended_ = true;
  in_round_ = false;
  most_sums_ = MostSums();
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
  ParameterStore::Snapshot snapshot = store_->TakeSnapshot(scratch_folder_);
  checkpoint.parameters = std::move(snapshot.parameters);
  checkpoint.optimizer_state = std::move(snapshot.optimizer_state);
  checkpoint.copying = std::move(snapshot.copying);
  checkpoint.metadata["optimizer"] = store_->DescribeOptimizer();
  measurements_.Save(&checkpoint.metadata);
  ledger_.Save(&checkpoint.metadata);
  WorkCounts{shards_audited_, shards_speculated_, answers_dropped_}.Save(&checkpoint.metadata);
  last_checkpoint_ = now_();
  return checkpoint;
}

// ---- what people see

std::string JobRunner::WaitingReason() const {
  if (!hold_.empty()) return absl::StrCat(hold_, ", ", SinceText(waiting_since_));
  WaitingForWorkers waiting = participants_.Describe();
  waiting.needed = spec_.workers().min();
  waiting.since = waiting_since_;
  return waiting.Text();
}

std::string JobRunner::DivergenceReason(double loss) const {
  return absl::StrCat("training loss is ", loss, " at step ", step_, ", want a finite number",
                      anomalies_.empty() ? "" : "; " + anomalies_.begin()->second,
                      " (a smaller learning rate may help)");
}

std::string JobRunner::SlowRoundReason() const {
  if (std::string dispute = DisputeReason(); !dispute.empty()) {
    return absl::StrCat(dispute, ", ", SinceText(round_started_));
  }
  // Long beside the steps before, and long for a person.
  const double mean =
      step_ == 0 ? 0 : measurements_.training_seconds() / static_cast<double>(step_);
  const absl::Duration elapsed = now_() - round_started_;
  if (elapsed < std::max(absl::Seconds(5), 5 * absl::Seconds(mean))) return "";
  std::string reason = absl::StrCat("step ", step_, " goes on for ", absl::ToInt64Seconds(elapsed),
                                    " s (", SinceText(round_started_), "), waiting for");
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
  measurements_.Describe(step_, &progress);
  *progress.mutable_ledger() = ledger_.Describe();
  progress.set_shards_audited(shards_audited_);
  progress.set_shards_speculated(shards_speculated_);
  progress.set_answers_dropped(answers_dropped_);
  progress.set_most_partial_sums(MostSums());
  progress.set_longest_pause_seconds(absl::ToDoubleSeconds(longest_pause_));
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
