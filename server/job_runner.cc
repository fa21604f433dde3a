// The course of a job: one round after another, and what each one's end does.
// job_runner_rounds.cc opens them and hands out, job_runner_answers.cc takes in what
// comes back, job_runner_workers.cc has who takes part.
#include "server/job_runner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::server {

uint64_t JobRunner::RoundExamples() const {
  return kind_ == v1::TRAIN ? plan_.Place(step_).examples : plan_.validation_examples;
}

int JobRunner::Parts() const { return kind_ == v1::TRAIN ? store_->chunk_count() + 1 : 1; }

void JobRunner::Advance() {
  if (ended_ || in_round_) return;
  if (stop_.has_value()) {
    End(stop_->first, stop_->second, /*with_checkpoint=*/store_->IsFinite());
    return;
  }
  if (kind_ == v1::TRAIN && step_ >= plan_.total_steps) {
    End(v1::SUCCEEDED, "", /*with_checkpoint=*/true);
    return;
  }
  const bool may_begin = hold_.empty() && participants_.CountReady() >= spec_.workers().min();
  SetWaiting(!may_begin);
  if (may_begin) StartRound();
}

void JobRunner::GoOn() {
  if (ended_) return;
  if (!in_round_) return Advance();
  SettleBallots();
  if (!ended_) HandOutFreedNodes();
  if (!ended_) GiveCredit();
}

void JobRunner::Hold(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  hold_ = reason;
  if (!ended_ && !in_round_) Advance();
}

void JobRunner::SetWaiting(bool waiting) {
  if (waiting == waiting_ && (waiting || announced_)) return;
  if (waiting && !waiting_) waiting_since_ = now_();
  waiting_ = waiting;
  // Before the first round the job is still queued: its owner says why.
  if (waiting && !announced_) return;
  announced_ = true;
  host_->OnRunning(job_id_, waiting ? WaitingReason() : "");
}

void JobRunner::EndUnfinished() {
  // Where the optimizer's state is already part of the next step's, the last
  // checkpoint is the best there is.
  const bool untouched = chunks_done_ == 0 && adding_.empty();
  End(stop_->first, stop_->second, /*with_checkpoint=*/untouched);
}

void JobRunner::FinishRoundIfDone() {
  if (!in_round_ || !losses_->complete() || InConflict()) return;
  if (kind_ == v1::TRAIN) {
    if (chunks_done_ == store_->chunk_count()) CommitStep();
    return;
  }
  in_round_ = false;
  KeepBallots();  // of training alone: before the kind changes
  kind_ = v1::TRAIN;
  EndEpoch(losses_->root());
}

void JobRunner::CommitStep() {
  const uint64_t examples = RoundExamples();
  in_round_ = false;
  most_sums_ = MostSums();
  aggregation_ = nullptr;
  KeepBallots();
  const double loss_sum = losses_->root().sum;
  if (!std::isfinite(loss_sum)) {
    End(v1::FAILED, DivergenceReason(loss_sum / static_cast<double>(examples)),
        /*with_checkpoint=*/false);
    return;
  }
  store_->CommitStep();
  ledger_.Commit(step_);
  disputes_.erase(step_);
  ++step_;
  for (auto& entry : participants_) {
    if (entry.second.follows) entry.second.version = step_;
  }
  const absl::Time now = now_();
  const absl::Duration duration = now - round_started_;
  if (last_commit_.has_value()) longest_pause_ = std::max(longest_pause_, now - *last_commit_);
  last_commit_ = now;
  measurements_.Add(now, duration, examples, loss_sum);
  const bool keeps_state = plan_.EndsEpoch(step_) || CheckpointIsDue(now);
  // The next loss would show it, but a checkpoint, or the job's end, comes before.
  if (keeps_state && !store_->IsFinite()) {
    End(v1::FAILED,
        absl::StrCat("parameters after step ", step_,
                     ": got infinity or NaN, want finite numbers (a smaller learning rate may "
                     "help)"),
        /*with_checkpoint=*/false);
    return;
  }
  const uint64_t digest_interval = spec_.tensor_digests().interval_steps();
  if (keeps_state || (digest_interval > 0 && step_ % digest_interval == 0)) RecordDigest();
  if (plan_.EndsEpoch(step_)) {
    if (plan_.validation_examples > 0) {
      kind_ = v1::EVALUATE;
      Advance();
    } else {
      EndEpoch(std::nullopt);
    }
    return;
  }
  if (keeps_state) host_->OnCheckpoint(job_id_, Snapshot());
  Advance();
}

bool JobRunner::CheckpointIsDue(absl::Time now) const {
  const v1::Checkpoint& policy = spec_.checkpoint();
  if (policy.interval_steps() > 0 && step_ % policy.interval_steps() == 0) return true;
  return policy.interval_seconds() > 0 &&
         now - last_checkpoint_ >= absl::Seconds(policy.interval_seconds());
}

void JobRunner::EndEpoch(std::optional<Losses> validation) {
  host_->OnEpoch(job_id_, measurements_.EndEpoch(step_, validation));
  // At the job's end, and before a stop, End keeps the state itself.
  if (step_ < plan_.total_steps && !stop_.has_value()) {
    Checkpoint checkpoint = Snapshot();
    checkpoint.is_best = measurements_.newest_is_best();
    host_->OnCheckpoint(job_id_, std::move(checkpoint));
  }
  Advance();
}

}  // namespace lockstep::server
