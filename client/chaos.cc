#include "client/chaos.h"

#include <signal.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace lockstep::client {

absl::Status Chaos::Act(absl::Time now, EmbeddedCluster* cluster, std::vector<std::string>* notes) {
  for (auto it = stalled_.begin(); it != stalled_.end();) {
    if (now < it->first) {
      ++it;
      continue;
    }
    cluster->SignalWorker(it->second, SIGCONT);
    it = stalled_.erase(it);
  }
  while (const auto event = schedule_.TakeDue(now - began_)) {
    const absl::Status status = Do(*event, now, cluster, notes);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Chaos::Do(const ChaosEvent& event, absl::Time now, EmbeddedCluster* cluster,
                       std::vector<std::string>* notes) {
  const std::string name = ChaosFaultName(event.fault);
  const std::string when = absl::StrCat("chaos: ", name, " at ", absl::FormatDuration(event.at));
  if (event.fault == ChaosFault::kKillServer) {
    ++done_[name];
    notes->push_back(when);
    return cluster->KillAndRestartServer();
  }
  const int worker = static_cast<int>(event.choice % static_cast<uint32_t>(cluster->workers()));
  std::string what = absl::StrCat(when, ": worker-", worker);
  bool hit = false;
  switch (event.fault) {
    case ChaosFault::kKillWorker:
      hit = cluster->SignalWorker(worker, SIGKILL);
      break;
    case ChaosFault::kStallWorker:
      hit = cluster->SignalWorker(worker, SIGSTOP);
      if (hit) stalled_.push_back({now + event.duration, worker});
      absl::StrAppend(&what, " for ", absl::FormatDuration(event.duration));
      break;
    default:
      hit = cluster->SignalWorker(worker, SIGUSR1);
      break;
  }
  if (!hit) return absl::OkStatus();  // it is just being started again
  ++done_[name];
  notes->push_back(std::move(what));
  return absl::OkStatus();
}

void Chaos::SeeToQuarantined(const v1::ListWorkersResponse& workers, EmbeddedCluster* cluster,
                             std::vector<std::string>* notes) {
  for (const v1::Worker& worker : workers.workers()) {
    if (worker.quarantine().empty()) continue;
    if (!cluster->SignalProcess(static_cast<pid_t>(worker.pid()), SIGKILL)) continue;
    ++done_["quarantined"];
    notes->push_back(absl::StrCat("chaos: ", worker.name(), " is quarantined (",
                                  worker.quarantine(), "); its machine is replaced"));
  }
}

void Chaos::End(EmbeddedCluster* cluster) {
  for (const auto& stall : stalled_) cluster->SignalWorker(stall.second, SIGCONT);
  stalled_.clear();
}

std::string Chaos::Summary() const {
  if (done_.empty()) return "nothing: the job was over before";
  std::vector<std::string> parts;
  for (const auto& [name, times] : done_) parts.push_back(absl::StrCat(times, " ", name));
  return absl::StrJoin(parts, ", ");
}

}  // namespace lockstep::client
