// The connected workers: who they are, which job has them, when they were
// last heard from. Bookkeeping only; it sends nothing.
#ifndef LOCKSTEP_SERVER_WORKER_REGISTRY_H_
#define LOCKSTEP_SERVER_WORKER_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lockstep/v1/job_service.pb.h"
#include "lockstep/v1/worker_service.pb.h"
#include "server/storage/quarantine_list.h"
#include "server/worker_link.h"

namespace lockstep::server {

// What this server speaks.
inline constexpr uint32_t kProtocolVersion = 4;

struct RegisteredWorker {
  v1::Register self;     // name made unique
  std::string instance;  // InstanceKey
  std::shared_ptr<WorkerLink> link;
  std::string job_id;    // empty: idle
  bool leaving = false;  // has been released, and finishes what it has
  // Why it gets no work any more; empty: it is trusted.
  std::string quarantine;
  absl::Time connected_at;
  absl::Time last_heard;
};

// Threads: none of its own; the owner locks.
class WorkerRegistry {
 public:
  // Takes a worker in; returns its unique name: the wished one, else with
  // "-2", "-3", ... Errors: InvalidArgument (a name or an instance that cannot be),
  // FailedPrecondition (another protocol version).
  absl::StatusOr<std::string> Add(const v1::Register& self, std::shared_ptr<WorkerLink> link,
                                  absl::Time now);
  // Null: not known (any more).
  RegisteredWorker* Find(const std::string& name);
  // Takes a worker out whose stream has not ended: it is unknown from now on,
  // but nobody else gets its name, by which its stream still speaks.
  void Retire(const std::string& name) {
    if (workers_.erase(name) > 0) retired_.insert(name);
  }
  // Its stream has ended: the name is free again.
  void Remove(const std::string& name) {
    workers_.erase(name);
    retired_.erase(name);
  }

  // In order of name. Without those in quarantine.
  std::vector<std::string> IdleWorkers() const;
  std::vector<std::string> WorkersOf(const std::string& job_id) const;
  // Those not heard from for longer than their lease.
  std::vector<std::string> Lapsed(
      absl::Time now, const std::function<absl::Duration(const RegisteredWorker&)>& lease_of) const;
  // Trusts the worker no more, nor its process when it connects again.
  void Quarantine(const std::string& name, const std::string& reason);
  // Trusts the connected worker of this name again, or, where there is none, those
  // quarantined under it that are away. Returns them as they were (of those away:
  // name, host, pid, quarantine); empty: the connected one was trusted all along.
  // NotFound: there is neither.
  absl::StatusOr<std::vector<v1::Worker>> LiftQuarantine(const std::string& name, absl::Time now);
  // Processes that are not trusted, for a server that is started again.
  const QuarantineList& quarantines() const { return quarantined_; }
  // Requires: no worker has been added yet.
  void RestoreQuarantines(QuarantineList list) { quarantined_ = std::move(list); }
  std::vector<v1::Worker> Describe(absl::Time now) const;

 private:
  bool IsConnected(const std::string& instance) const;

  std::map<std::string, RegisteredWorker> workers_;
  std::set<std::string> retired_;
  QuarantineList quarantined_;  // also those that are away
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_WORKER_REGISTRY_H_
