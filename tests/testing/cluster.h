// A parameter server and workers as processes, and a user at their client.
#ifndef LOCKSTEP_TESTS_TESTING_CLUSTER_H_
#define LOCKSTEP_TESTS_TESTING_CLUSTER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/v1/job_service.pb.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/process.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {

// Whatever goes wrong fails the test and returns; the logs are shown at the end.
// Threads: the main one.
class Cluster {
 public:
  // Starts a server on a port of its own and a state folder of its own.
  // `listen`: where, as lockstep-server's flag.
  explicit Cluster(std::vector<std::string> server_flags = {},
                   const std::string& listen = "127.0.0.1:0");

  const LoggedFolder& folder() const { return folder_; }
  const std::string& address() const { return address_; }
  std::string state_dir() const { return folder_.PathOf("state"); }

  Process& server() { return *server_; }
  // SIGKILL.
  void KillServer() { server_->Kill(); }
  // SIGTERM; the exit code.
  int StopServer();
  // Again, on the same address and state folder.
  void RestartServer();

  // Starts a worker with one thread (`flags` come after that); returns before
  // it is connected.
  Process& StartWorker(const std::string& name, const std::vector<std::string>& flags = {});
  // Words before the command of every worker started from now on: what runs it
  // somewhere else.
  void StartWorkersBy(std::vector<std::string> command) { start_by_ = std::move(command); }
  Process& worker(const std::string& name) { return *workers_.at(name); }
  void KillWorker(const std::string& name) { worker(name).Kill(); }
  // SIGTERM; the exit code.
  int StopWorker(const std::string& name);

  // `lockstep ARGUMENTS` with LOCKSTEP_SERVER set to the server.
  CommandResult Lockstep(const std::vector<std::string>& arguments);
  // Submits and returns the job's id.
  std::string Submit(const std::string& job_file);
  v1::Job Status(const std::string& job_id);
  v1::ListWorkersResponse Workers();

  // Asks for the job's status until `holds`; returns the last one.
  v1::Job WaitFor(const std::string& job_id, const std::string& what,
                  const std::function<bool(const v1::Job&)>& holds);
  // Until it trains and has more than `step` steps behind it.
  v1::Job WaitForStep(const std::string& job_id, uint64_t step);
  v1::Job WaitForState(const std::string& job_id, v1::JobState state);
  void WaitForWorkers(int count);

 private:
  bool ServerIsUp();

  LoggedFolder folder_;
  const std::vector<std::string> server_flags_;
  std::string address_;
  std::vector<std::string> start_by_;
  int server_starts_ = 0;
  std::map<std::string, int> worker_starts_;
  std::unique_ptr<Process> server_;
  std::map<std::string, std::unique_ptr<Process>> workers_;
};

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_CLUSTER_H_
