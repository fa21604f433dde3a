// Who takes part in a job: workers that have joined, are ready, are leaving or are
// not trusted any more, and those that cannot take part. What each of them computes
// is its runner's matter.
#ifndef LOCKSTEP_SERVER_PARTICIPANTS_H_
#define LOCKSTEP_SERVER_PARTICIPANTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engine/model/job_plan.h"
#include "lockstep/v1/job.pb.h"
#include "lockstep/v1/worker_service.pb.h"
#include "server/waiting_for_workers.h"
#include "server/worker_link.h"

namespace lockstep::server {

// What every runner knows of a worker.
struct Participation {
  std::shared_ptr<WorkerLink> link;
  bool ready = false;        // has loaded the job's data
  bool leaving = false;      // gets nothing further
  bool quarantined = false;  // its answers do not count any more
  // Of the parameters that it has been sent, whole.
  std::optional<uint64_t> version;

  bool may_work() const { return ready && !leaving && !quarantined; }
};

// InvalidArgument: the worker has other data than the job.
absl::Status CheckJobReady(const JobPlan& plan, const v1::JobReady& message);

v1::ServerMessage PrepareJobMessage(const std::string& job_id, const v1::JobSpec& spec,
                                    int64_t chunk_elements);

// `Participant` is a Participation with what its runner adds. In the order of names.
// Threads: none of its own; the owner locks.
template <typename Participant>
class Participants {
 public:
  using Map = std::map<std::string, Participant>;

  // A worker joins; it is asked to prepare the job.
  void Join(const std::string& name, std::shared_ptr<WorkerLink> link,
            const v1::ServerMessage& prepare_job) {
    link->Send(prepare_job);
    by_name_[name].link = std::move(link);
  }

  // It is ready, and nothing is in its way any more. Requires: it has joined.
  // Errors: as CheckJobReady.
  absl::Status BecomeReady(const std::string& name, const JobPlan& plan,
                           const v1::JobReady& message) {
    if (const absl::Status status = CheckJobReady(plan, message); !status.ok()) return status;
    by_name_.at(name).ready = true;
    refusals_.erase(name);
    return absl::OkStatus();
  }

  // A worker cannot take part, for the reason that people see; it is gone.
  void NoteRefusal(const std::string& name, const std::string& message) {
    refusals_[name] = message;
  }
  void ForgetRefusal(const std::string& name) { refusals_.erase(name); }

  // Null: it has not joined, or is gone.
  Participant* Find(const std::string& name) {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
  }
  // Requires: it has joined.
  Participant& at(const std::string& name) { return by_name_.at(name); }
  const Participant& at(const std::string& name) const { return by_name_.at(name); }
  void Erase(const std::string& name) { by_name_.erase(name); }

  typename Map::iterator begin() { return by_name_.begin(); }
  typename Map::iterator end() { return by_name_.end(); }
  typename Map::const_iterator begin() const { return by_name_.begin(); }
  typename Map::const_iterator end() const { return by_name_.end(); }

  // Names of those that may be given work.
  std::vector<std::string> Ready() const {
    std::vector<std::string> names;
    for (const auto& [name, participant] : by_name_) {
      if (participant.may_work()) names.push_back(name);
    }
    return names;
  }

  size_t CountReady() const {
    return std::count_if(begin(), end(), [](const auto& entry) { return entry.second.may_work(); });
  }

  // What people see of it while a job waits; `needed` and `since` are the owner's.
  WaitingForWorkers Describe() const {
    WaitingForWorkers waiting;
    waiting.ready = CountReady();
    for (const auto& [name, participant] : by_name_) {
      if (participant.quarantined) {
        waiting.quarantined.push_back(name);
      } else if (!participant.ready) {
        ++waiting.preparing;
      }
    }
    waiting.refusals = refusals_;
    return waiting;
  }

 private:
  Map by_name_;
  std::map<std::string, std::string> refusals_;  // why, by name
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_PARTICIPANTS_H_
