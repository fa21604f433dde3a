// A JobRunner's workers: they come, get ready and go; which of them get nodes.
#include <algorithm>
#include <utility>

#include "server/job_runner.h"

namespace lockstep::server {

void JobRunner::AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) {
  absl::MutexLock lock(&mutex_);
  participants_.Join(name, std::move(link),
                     PrepareJobMessage(job_id_, spec_, store_->chunk_elements()));
}

void JobRunner::RemoveWorker(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  Participant* const found = participants_.Find(name);
  if (found == nullptr) return;
  FreeNodesOf(*found);
  participants_.Erase(name);
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
  Participant* const found = participants_.Find(name);
  if (found == nullptr) return host_->OnWorkerReleased(job_id_, name);
  found->leaving = true;
  LetGo(name);
}

void JobRunner::LetGo(const std::string& name) {
  Participant* const found = participants_.Find(name);
  if (found == nullptr || !found->leaving) return;
  if (in_round_ && !found->outstanding.empty()) return;
  participants_.Erase(name);
  host_->OnWorkerReleased(job_id_, name);
}

absl::Status JobRunner::OnJobReady(const std::string& name, const v1::JobReady& message) {
  absl::MutexLock lock(&mutex_);
  if (ended_ || participants_.Find(name) == nullptr) return absl::OkStatus();
  const absl::Status status = participants_.BecomeReady(name, plan_, message);
  if (status.ok()) GoOn();
  return status;
}

void JobRunner::NoteRefusal(const std::string& name, const std::string& message) {
  absl::MutexLock lock(&mutex_);
  participants_.NoteRefusal(name, message);
}

void JobRunner::ForgetRefusal(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  participants_.ForgetRefusal(name);
}

std::vector<std::string> JobRunner::IdleWorkers() const {
  std::vector<std::string> names = participants_.Ready();
  const auto is_busy = [this](const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const Participant& participant = participants_.at(name);
    return !participant.outstanding.empty() || !participant.late.empty() || IsBehind(participant);
  };
  names.erase(std::remove_if(names.begin(), names.end(), is_busy), names.end());
  return names;
}

std::vector<std::string> JobRunner::AvailableWorkers() const {
  const std::vector<std::string> ready = participants_.Ready();
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
