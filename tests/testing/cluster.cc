#include "tests/testing/cluster.h"

#include <signal.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/json.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

int Stop(Process& process) {
  process.Signal(SIGTERM);
  if (!process.WaitForEnd(kPatience)) {
    ADD_FAILURE() << "still there long after SIGTERM";
    process.Kill();
  }
  return process.exit_code();
}

}  // namespace

Cluster::Cluster(std::vector<std::string> server_flags, const std::string& listen)
    : server_flags_(std::move(server_flags)), address_(listen) {
  RestartServer();
}

int Cluster::StopServer() { return Stop(*server_); }

void Cluster::RestartServer() {
  WaitUntil("a server that listens", [this] {
    if (server_ == nullptr || server_->HasEnded()) {
      // Ended by itself: the port may not be free again yet.
      ProcessOptions options;
      options.command = {Runfile("server/lockstep-server"), "--listen", address_, "--state-dir",
                         state_dir()};
      options.command.insert(options.command.end(), server_flags_.begin(), server_flags_.end());
      server_.reset();
      server_ =
          std::make_unique<Process>(folder_, absl::StrCat("server-", ++server_starts_), options);
    }
    return ServerIsUp();
  });
}

bool Cluster::ServerIsUp() {
  const std::string address = LineAfter("listening on ", server_->out());
  // A line that is not whole yet has no end.
  if (address.empty() || server_->out().back() != '\n') return false;
  address_ = address;
  return true;
}

Process& Cluster::StartWorker(const std::string& name, const std::vector<std::string>& flags) {
  ProcessOptions options;
  options.command = start_by_;
  options.command.insert(options.command.end(),
                         {Runfile("worker/lockstep-worker"), "--server", address_, "--name", name});
  if (flags.empty()) options.command.insert(options.command.end(), {"--threads", "1"});
  options.command.insert(options.command.end(), flags.begin(), flags.end());
  workers_[name].reset();
  workers_[name] =
      std::make_unique<Process>(folder_, absl::StrCat(name, "-", ++worker_starts_[name]), options);
  return *workers_[name];
}

int Cluster::StopWorker(const std::string& name) { return Stop(worker(name)); }

CommandResult Cluster::Lockstep(const std::vector<std::string>& arguments) {
  return RunLockstep(folder_, arguments, {"LOCKSTEP_SERVER=" + address_});
}

std::string Cluster::Submit(const std::string& job_file) {
  const CommandResult result = Lockstep({"submit", job_file, "--format", "json"});
  EXPECT_EQ(result.exit_code, 0) << result;
  v1::Job job;
  ParseJson(result.out, &job);
  return job.job_id();
}

v1::Job Cluster::Status(const std::string& job_id) {
  const CommandResult result = Lockstep({"status", job_id, "--format", "json"});
  EXPECT_EQ(result.exit_code, 0) << result;
  v1::Job job;
  ParseJson(result.out, &job);
  return job;
}

v1::ListWorkersResponse Cluster::Workers() {
  const CommandResult result = Lockstep({"workers", "--format", "json"});
  EXPECT_EQ(result.exit_code, 0) << result;
  v1::ListWorkersResponse workers;
  ParseJson(result.out, &workers);
  return workers;
}

v1::Job Cluster::WaitFor(const std::string& job_id, const std::string& what,
                         const std::function<bool(const v1::Job&)>& holds) {
  v1::Job job;
  const bool found = WaitUntil(absl::StrCat(job_id, ": ", what), [&] {
    job = Status(job_id);
    return holds(job);
  });
  EXPECT_TRUE(found) << job.DebugString();
  return job;
}

v1::Job Cluster::WaitForStep(const std::string& job_id, uint64_t step) {
  return WaitFor(job_id, absl::StrCat("a step after ", step), [step](const v1::Job& job) {
    EXPECT_NE(job.state(), v1::FAILED) << job.state_reason();
    EXPECT_NE(job.state(), v1::SUCCEEDED) << "over before the test could act; make the job longer";
    return job.state() == v1::RUNNING && job.progress().step() > step;
  });
}

v1::Job Cluster::WaitForState(const std::string& job_id, v1::JobState state) {
  return WaitFor(job_id, v1::JobState_Name(state), [state](const v1::Job& job) {
    if (state != v1::FAILED) {
      EXPECT_NE(job.state(), v1::FAILED) << job.state_reason();
    }
    return job.state() == state;
  });
}

void Cluster::WaitForWorkers(int count) {
  WaitUntil(absl::StrCat(count, " workers"), [&] { return Workers().workers_size() == count; });
}

}  // namespace lockstep::tests
