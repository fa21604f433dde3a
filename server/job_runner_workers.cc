// A JobRunner's workers: they come, get ready and go; which of them get nodes.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job_runner.h"

namespace lockstep::server {

void JobRunner::AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) {
  absl::MutexLock lock(&mutex_);
  v1::ServerMessage message;
  message.mutable_prepare_job()->set_job_id(job_id_);
  *message.mutable_prepare_job()->mutable_spec() = spec_;
  message.mutable_prepare_job()->set_chunk_elements(kChunkElements);
  link->Send(message);
  participants_[name].link = std::move(link);
}

void JobRunner::RemoveWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found == participants_.end()) return;
  FreeNodesOf(found->second);
  participants_.erase(found);
  for (auto& entry : ballots_) entry.second.Leave(name);
  for (PastBallot& past : past_ballots_) past.ballot.Leave(name);
  for (auto& step : disputes_) {
    for (auto& entry : step.second) entry.second.Leave(name);
  }
  GoOn();
}

void JobRunner::FreeNodesOf(Participant& participant) {
  for (const auto& entry : participant.outstanding) {
    // One with a ballot has, or gets, another worker by SettleBallots.
    if (ballots_.count(entry.first) == 0) freed_.push_back(entry.first);
  }
  participant.outstanding.clear();
  participant.late.clear();
}

void JobRunner::ReleaseWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found == participants_.end()) return host_->OnWorkerReleased(job_id_, name);
  found->second.leaving = true;
  LetGo(name);
}

void JobRunner::LetGo(const std::string& name) {
  const auto found = participants_.find(name);
  if (found == participants_.end() || !found->second.leaving) return;
  if (in_round_ && !found->second.outstanding.empty()) return;
  participants_.erase(found);
  host_->OnWorkerReleased(job_id_, name);
}

absl::Status JobRunner::OnJobReady(const std::string& name, const v1::JobReady& message) {
  absl::MutexLock lock(&mutex_);
  const auto found = participants_.find(name);
  if (found == participants_.end() || ended_) return absl::OkStatus();
  if (message.training_examples() != plan_.training_examples ||
      message.validation_examples() != plan_.validation_examples) {
    return absl::InvalidArgumentError(
        absl::StrCat("job_ready: got ", message.training_examples(), " training and ",
                     message.validation_examples(), " validation examples, want ",
                     plan_.training_examples, " and ", plan_.validation_examples));
  }
  found->second.ready = true;
  refusals_.erase(name);
  GoOn();
  return absl::OkStatus();
}

void JobRunner::NoteRefusal(const std::string& name, const std::string& message) {
  absl::MutexLock lock(&mutex_);
  refusals_[name] = message;
}

void JobRunner::ForgetRefusal(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  refusals_.erase(name);
}

std::vector<std::string> JobRunner::ReadyWorkers() const {
  std::vector<std::string> names;
  for (const auto& entry : participants_) {
    const bool usable = entry.second.ready && !entry.second.leaving;
    if (usable && !entry.second.quarantined) names.push_back(entry.first);
  }
  return names;
}

std::vector<std::string> JobRunner::IdleWorkers() const {
  std::vector<std::string> names = ReadyWorkers();
  const auto is_busy = [this](const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const Participant& participant = participants_.at(name);
    return !participant.outstanding.empty() || !participant.late.empty() || IsBehind(participant);
  };
  names.erase(std::remove_if(names.begin(), names.end(), is_busy), names.end());
  return names;
}

std::vector<std::string> JobRunner::AvailableWorkers() const {
  const std::vector<std::string> ready = ReadyWorkers();
  std::vector<std::string> names = IdleWorkers();
  for (const std::string& name : ready) {
    const Participant& participant = participants_.at(name);
    const bool is_abreast = participant.late.empty() && !IsBehind(participant);
    if (is_abreast && !participant.outstanding.empty()) names.push_back(name);
  }
  return names.empty() ? ready : names;
}

bool JobRunner::IsBehind(const Participant& participant) const {
  constexpr size_t kMessageBytes = 16 << 20;
  const size_t version_bytes = store_->layout().total_elements() * sizeof(float);
  return participant.link->unsent_bytes() > version_bytes + kMessageBytes;
}

}  // namespace lockstep::server
