#include "server/worker_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "proto/codec/worker_name.h"

namespace lockstep::server {
namespace {

// What DNS allows, and more than any instruction set's name.
constexpr size_t kLongestHost = 255;
constexpr size_t kLongestInstructionSet = 64;
constexpr size_t kInstanceBytes = 16;

// Shown to people in tables.
bool IsShortLine(const std::string& text, size_t longest) {
  return text.size() <= longest && std::all_of(text.begin(), text.end(), absl::ascii_isprint);
}

void SetTimestamp(absl::Time time, google::protobuf::Timestamp* timestamp) {
  const int64_t micros = absl::ToUnixMicros(time);
  timestamp->set_seconds(micros / 1000000);
  timestamp->set_nanos(static_cast<int32_t>(micros % 1000000) * 1000);
}

v1::Worker Description(const RegisteredWorker& worker, absl::Time now) {
  v1::Worker out;
  out.set_name(worker.self.name());
  out.set_host(worker.self.host());
  out.set_pid(worker.self.pid());
  out.set_threads(worker.self.threads());
  out.set_instruction_set(worker.self.instruction_set());
  out.set_job_id(worker.job_id);
  out.set_quarantine(worker.quarantine);
  SetTimestamp(worker.connected_at, out.mutable_connected_at());
  out.set_last_heard_ms(static_cast<uint32_t>(
      std::max<int64_t>(0, absl::ToInt64Milliseconds(now - worker.last_heard))));
  return out;
}

absl::Status CheckRegister(const v1::Register& self) {
  if (self.protocol_version() != kProtocolVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "protocol version: got ", self.protocol_version(), ", want ", kProtocolVersion));
  }
  if (auto status = CheckWorkerName("worker name", self.name()); !status.ok()) return status;
  if (!IsShortLine(self.host(), kLongestHost) ||
      !IsShortLine(self.instruction_set(), kLongestInstructionSet)) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker host and instruction set: got ", self.host().size(), " and ",
                     self.instruction_set().size(), " bytes, want at most ", kLongestHost, " and ",
                     kLongestInstructionSet, " printable ones"));
  }
  if (!self.instance().empty() && self.instance().size() != kInstanceBytes) {
    return absl::InvalidArgumentError(absl::StrCat("worker instance: got ", self.instance().size(),
                                                   " bytes, want ", kInstanceBytes, " or none"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WorkerRegistry::Add(const v1::Register& self,
                                                std::shared_ptr<WorkerLink> link, absl::Time now) {
  if (auto status = CheckRegister(self); !status.ok()) return status;
  std::string name = self.name();
  for (int number = 2; workers_.count(name) + retired_.count(name) > 0; ++number) {
    name = absl::StrCat(self.name(), "-", number);
  }
  RegisteredWorker& worker = workers_[name];
  worker.self = self;
  worker.self.set_name(name);
  worker.link = std::move(link);
  worker.instance = InstanceKey(self.instance(), self.host(), self.pid());
  const auto quarantined = quarantined_.find(worker.instance);
  if (quarantined != quarantined_.end()) worker.quarantine = quarantined->second.reason;
  worker.connected_at = worker.last_heard = now;
  return name;
}

RegisteredWorker* WorkerRegistry::Find(const std::string& name) {
  const auto found = workers_.find(name);
  return found == workers_.end() ? nullptr : &found->second;
}

std::vector<std::string> WorkerRegistry::IdleWorkers() const {
  std::vector<std::string> names;
  for (const auto& [name, worker] : workers_) {
    if (worker.job_id.empty() && worker.quarantine.empty()) names.push_back(name);
  }
  return names;
}

void WorkerRegistry::Quarantine(const std::string& name, const std::string& reason) {
  RegisteredWorker* const worker = Find(name);
  if (worker == nullptr) return;
  worker->quarantine = reason;
  quarantined_[worker->instance] = {name, worker->self.host(), worker->self.pid(), reason};
}

bool WorkerRegistry::IsConnected(const std::string& instance) const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [&](const auto& entry) { return entry.second.instance == instance; });
}

absl::StatusOr<std::vector<v1::Worker>> WorkerRegistry::LiftQuarantine(const std::string& name,
                                                                       absl::Time now) {
  std::vector<v1::Worker> lifted;
  if (RegisteredWorker* const worker = Find(name)) {
    if (worker->quarantine.empty()) return lifted;
    lifted.push_back(Description(*worker, now));
    worker->quarantine.clear();
    quarantined_.erase(worker->instance);
    return lifted;
  }
  for (auto it = quarantined_.begin(); it != quarantined_.end();) {
    const auto here = it++;
    const QuarantinedProcess& process = here->second;
    if (process.name != name || IsConnected(here->first)) continue;
    v1::Worker& out = lifted.emplace_back();
    out.set_name(process.name);
    out.set_host(process.host);
    out.set_pid(process.pid);
    out.set_quarantine(process.reason);
    quarantined_.erase(here);
  }
  if (lifted.empty()) {
    return absl::NotFoundError(absl::StrCat("no worker '", name, "' is connected or quarantined"));
  }
  return lifted;
}

std::vector<std::string> WorkerRegistry::WorkersOf(const std::string& job_id) const {
  std::vector<std::string> names;
  for (const auto& entry : workers_) {
    if (entry.second.job_id == job_id) names.push_back(entry.first);
  }
  return names;
}

std::vector<std::string> WorkerRegistry::Lapsed(
    absl::Time now, const std::function<absl::Duration(const RegisteredWorker&)>& lease_of) const {
  std::vector<std::string> names;
  for (const auto& entry : workers_) {
    if (now - entry.second.last_heard > lease_of(entry.second)) names.push_back(entry.first);
  }
  return names;
}

std::vector<v1::Worker> WorkerRegistry::Describe(absl::Time now) const {
  std::vector<v1::Worker> workers;
  for (const auto& entry : workers_) workers.push_back(Description(entry.second, now));
  return workers;
}

}  // namespace lockstep::server
