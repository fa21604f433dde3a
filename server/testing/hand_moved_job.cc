#include "server/testing/hand_moved_job.h"

#include <gtest/gtest.h>

#include <utility>

#include "engine/data/model_hash.h"

namespace lockstep::server {

// ---- RecordingHost

void RecordingHost::OnRunning(const std::string&, const std::string& reason) {
  reasons.push_back(reason);
}

void RecordingHost::OnEpoch(const std::string&, const v1::EpochMetrics& metrics) {
  epochs.push_back(metrics);
}

void RecordingHost::OnWorkerReleased(const std::string&, const std::string& worker) {
  released.push_back(worker);
}

void RecordingHost::OnDigest(const std::string&, const v1::StepDigest& digest) {
  digests.push_back(digest);
}

void RecordingHost::OnArrivals(const std::string&, const v1::Arrivals& stretch) {
  arrivals.MergeFrom(stretch);
}

void RecordingHost::OnCheckpoint(const std::string&, Checkpoint checkpoint) {
  checkpoints.push_back(std::move(checkpoint));
  arrivals_then.push_back(arrivals);
}

void RecordingHost::OnEnded(const std::string&, v1::JobState state, const std::string& reason,
                            std::optional<Checkpoint> checkpoint) {
  ended = true;
  final_state = state;
  final_reason = reason;
  final_checkpoint = std::move(checkpoint);
}

void RecordingHost::OnQuarantine(const std::string&, const std::string& worker,
                                 const std::string& reason) {
  quarantined[worker] = reason;
}

void RecordingHost::OnEvent(const std::string&, const std::string& kind,
                            const std::string& message) {
  events.push_back(kind + ": " + message);
}

void RecordingHost::OnRewind(const std::string&, Rewind wanted) { rewind = std::move(wanted); }

// ---- the job

int64_t ElementsOfLinearModel(const v1::JobSpec& spec) {
  const auto& linear = spec.model(0).linear();
  const int64_t in = spec.data_summary().example_shape(0);
  const auto padded = [](int64_t elements) { return (elements + 15) / 16 * 16; };
  return padded(in * linear.out_features()) + padded(linear.out_features());
}

std::string HashOf(const Checkpoint& checkpoint) {
  return data::ModelSha256(checkpoint.parameters) + data::ModelSha256(checkpoint.optimizer_state);
}

absl::Status DeliverAnswer(JobExecution& job, const std::string& name,
                           const FakeWorker::Answer& answer) {
  if (answer.message.has_job_ready()) return job.OnJobReady(name, answer.message.job_ready());
  if (answer.message.has_gradient_chunk()) {
    return job.OnGradientChunk(name, answer.message.gradient_chunk(), answer.values);
  }
  return job.OnNodeResult(name, answer.message.node_result());
}

HandMovedJob::HandMovedJob(const v1::JobSpec& spec)
    : spec_(spec), total_elements_(ElementsOfLinearModel(spec)) {}

JobOptions HandMovedJob::Options() {
  JobOptions options;
  options.job_id = "job-1";
  options.spec = spec_;
  options.now = [this] { return now_ += absl::Milliseconds(1); };
  options.host = &host_;
  return options;
}

std::string HandMovedJob::Join() {
  const std::string name = "worker-" + std::to_string(joined_++);
  workers_[name] = std::make_shared<FakeWorker>(spec_, total_elements_);
  runner_->AddWorker(name, workers_[name]);
  return name;
}

void HandMovedJob::Leave(const std::string& name) {
  runner_->RemoveWorker(name);
  workers_.erase(name);
}

bool HandMovedJob::Move(const std::string& name, bool answer_first) {
  FakeWorker& worker = *workers_.at(name);
  if (worker.has_answer() && (answer_first || !worker.has_work())) {
    Deliver(name, worker.TakeAnswer());
  } else if (worker.has_work()) {
    worker.Work();
  } else {
    return false;
  }
  EXPECT_TRUE(worker.closed().ok()) << worker.closed();
  return true;
}

void HandMovedJob::Deliver(const std::string& name, FakeWorker::Answer answer) {
  const absl::Status status = DeliverAnswer(*runner_, name, answer);
  EXPECT_TRUE(status.ok()) << status;
}

void HandMovedJob::RunUntilQuiet() {
  bool moved = true;
  while (moved) {
    moved = false;
    for (auto& entry : std::map<std::string, std::shared_ptr<FakeWorker>>(workers_)) {
      moved |= Move(entry.first, true);
    }
  }
}

std::string HandMovedJob::Hash() const {
  EXPECT_TRUE(host_.final_checkpoint.has_value());
  return HashOf(*host_.final_checkpoint);
}

}  // namespace lockstep::server
