#include "client/embedded_cluster.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "client/atomic_file.h"
#include "client/exit_code.h"
#include "client/server_address.h"

namespace lockstep::client {
namespace {

constexpr char kReadyPrefix[] = "listening on ";
constexpr int kLogLinesShown = 5;

std::string WithLog(absl::string_view what, const std::string& log_path) {
  std::string last = LastLines(log_path, kLogLinesShown);
  while (!last.empty() && last.back() == '\n') last.pop_back();
  // Messages are one line.
  last = absl::StrReplaceAll(last, {{"\n", " | "}});
  return absl::StrCat(what, last.empty() ? "" : absl::StrCat(": ", last), " (log: ", log_path, ")");
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedCluster>> EmbeddedCluster::Start(
    const EmbeddedClusterOptions& options, const std::function<bool()>& stop_waiting) {
  std::unique_ptr<EmbeddedCluster> cluster(new EmbeddedCluster(options));
  absl::Status status = cluster->MakeSocketFolder();
  if (status.ok()) status = cluster->StartServer(stop_waiting);
  if (!status.ok()) return status;
  return cluster;
}

EmbeddedCluster::~EmbeddedCluster() {
  workers_.clear();
  server_.reset();
  if (socket_folder_.empty()) return;
  unlink(absl::StrCat(socket_folder_, "/socket").c_str());
  rmdir(socket_folder_.c_str());
}

absl::Status EmbeddedCluster::MakeSocketFolder() {
  for (const std::string& parent : {options_.temporary_folder, std::string("/tmp")}) {
    std::string folder = absl::StrCat(parent, "/lockstep-XXXXXX");
    if (!GrpcTarget(absl::StrCat("unix:", folder, "/socket")).ok()) continue;
    // mkdtemp gives it mode 0700: nobody else may connect.
    if (mkdtemp(folder.data()) == nullptr) return FileError(errno, "creating", folder);
    socket_folder_ = folder;
    address_ = absl::StrCat("unix:", folder, "/socket");
    return absl::OkStatus();
  }
  return absl::InternalError("no folder for a socket");
}

absl::Status EmbeddedCluster::StartServer(const std::function<bool()>& stop_waiting) {
  server_log_ = options_.log_dir + "/server.log";
  ChildProcessOptions child;
  child.command = {options_.server_program, "--listen", address_, "--state-dir",
                   options_.state_dir};
  if (options_.instruction_set != "best") {
    child.command.insert(child.command.end(), {"--instruction-set", options_.instruction_set});
  }
  child.log_path = server_log_;
  child.read_output = true;
  absl::StatusOr<std::unique_ptr<ChildProcess>> server = ChildProcess::Start(child);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  const absl::Time deadline = absl::Now() + options_.start_patience;
  while (absl::Now() < deadline) {
    if (stop_waiting && stop_waiting()) return absl::CancelledError("interrupted");
    const std::optional<std::string> line = server_->ReadLine(absl::Milliseconds(100));
    if (line.has_value() && absl::StartsWith(*line, kReadyPrefix)) return absl::OkStatus();
    if (!line.has_value() && server_->HasEnded()) {
      return ServerTrouble(absl::StrCat("lockstep-server ", server_->EndText()));
    }
    // Where its output has ended but the process has not, reading waits for nothing.
    if (!line.has_value()) absl::SleepFor(absl::Milliseconds(5));
  }
  return ServerTrouble(absl::StrCat("lockstep-server did not listen within ",
                                    absl::FormatDuration(options_.start_patience)));
}

absl::Status EmbeddedCluster::ServerTrouble(absl::string_view what) {
  const std::string message = WithLog(what, server_log_);
  if (server_->HasEnded() && server_->exit_code() == kExitUsage) {
    return absl::InvalidArgumentError(message);
  }
  return absl::InternalError(message);
}

absl::Status EmbeddedCluster::StartWorkers() {
  for (int i = 0; i < options_.workers; ++i) {
    const std::string name = absl::StrCat("worker-", i);
    workers_.push_back({name, absl::StrCat(options_.log_dir, "/", name, ".log"), nullptr,
                        absl::InfinitePast(), absl::InfiniteFuture(), 0, false,
                        Backoff(options_.restart_backoff)});
    absl::Status status = StartWorker(&workers_.back());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status EmbeddedCluster::StartWorker(WorkerSlot* slot) {
  ChildProcessOptions child;
  child.command = {options_.worker_program,        "--server", address_,  "--threads",
                   absl::StrCat(options_.threads), "--name",   slot->name};
  if (options_.instruction_set != "best") {
    child.command.insert(child.command.end(), {"--instruction-set", options_.instruction_set});
  }
  if (options_.corrupt_shard > 0) {
    // Another seed for each process: it makes other mistakes.
    const int index = static_cast<int>(slot - workers_.data());
    child.command.insert(
        child.command.end(),
        {"--corrupt-shard", absl::StrCat(options_.corrupt_shard), "--corrupt-seed",
         absl::StrCat(options_.corrupt_seed * 1000003 + index * 1009 + slot->starts)});
  }
  ++slot->starts;
  child.log_path = slot->log_path;
  absl::StatusOr<std::unique_ptr<ChildProcess>> process = ChildProcess::Start(child);
  if (!process.ok()) return process.status();
  slot->process = *std::move(process);
  slot->started_at = absl::Now();
  slot->restart_at = absl::InfiniteFuture();
  return absl::OkStatus();
}

absl::Status EmbeddedCluster::Supervise(std::vector<std::string>* notes) {
  server_->DrainOutput();
  if (server_->HasEnded()) {
    return ServerTrouble(absl::StrCat("lockstep-server ", server_->EndText()));
  }
  for (WorkerSlot& slot : workers_) SuperviseWorker(&slot, notes);
  const bool none_left =
      !workers_.empty() && std::all_of(workers_.begin(), workers_.end(),
                                       [](const WorkerSlot& slot) { return slot.given_up; });
  return none_left ? NoWorkersLeft() : absl::OkStatus();
}

void EmbeddedCluster::SuperviseWorker(WorkerSlot* slot, std::vector<std::string>* notes) {
  const absl::Time now = absl::Now();
  if (slot->process != nullptr && slot->process->HasEnded()) {
    std::string what = absl::StrCat(slot->name, " ", slot->process->EndText());
    slot->process.reset();
    if (now - slot->started_at >= options_.healthy_after) {
      slot->restarts = 0;
      slot->backoff.Reset();
    }
    slot->given_up = slot->restarts >= options_.most_restarts;
    if (!slot->given_up) slot->restart_at = now + slot->backoff.Next();
    absl::StrAppend(&what, slot->given_up ? "; it is not started again" : "; starting it again");
    notes->push_back(WithLog(what, slot->log_path));
  }
  if (slot->process == nullptr && !slot->given_up && now >= slot->restart_at) {
    ++slot->restarts;
    const absl::Status status = StartWorker(slot);
    if (status.ok()) return;
    slot->given_up = slot->restarts >= options_.most_restarts;
    slot->restart_at = now + slot->backoff.Next();
    notes->push_back(std::string(status.message()));
  }
}

bool EmbeddedCluster::SignalWorker(int worker, int signal_number) {
  const WorkerSlot& slot = workers_[worker];
  return slot.process != nullptr && !slot.process->HasEnded() &&
         kill(slot.process->pid(), signal_number) == 0;
}

bool EmbeddedCluster::SignalProcess(pid_t pid, int signal_number) {
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].process == nullptr || workers_[i].process->pid() != pid) continue;
    return SignalWorker(static_cast<int>(i), signal_number);
  }
  return false;
}

absl::Status EmbeddedCluster::KillAndRestartServer() {
  server_->Kill();
  return StartServer({});
}

absl::Status EmbeddedCluster::NoWorkersLeft() const {
  return absl::InternalError(WithLog("no worker is left", workers_.front().log_path));
}

void EmbeddedCluster::Stop() {
  for (WorkerSlot& slot : workers_) {
    if (slot.process != nullptr) slot.process->Terminate();
  }
  const absl::Time deadline = absl::Now() + options_.stop_patience;
  for (WorkerSlot& slot : workers_) {
    if (slot.process != nullptr) slot.process->WaitForEnd(deadline - absl::Now());
  }
  workers_.clear();
  if (server_ == nullptr) return;
  server_->Terminate();
  server_->WaitForEnd(options_.stop_patience);
  server_->Kill();
}

}  // namespace lockstep::client
