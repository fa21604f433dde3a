// A whole cluster in one thread: a job's runner, the registry with its leases,
// fake workers and a disk of checkpoints, under a clock that only moves when the
// simulation moves it. A seed decides everything that happens: who joins, leaves,
// is killed, stalls beyond its lease and comes back as a zombie, is slow, answers
// wrongly, and when the server dies. The same seed gives the same life.
#ifndef LOCKSTEP_SERVER_TESTING_CLUSTER_SIMULATION_H_
#define LOCKSTEP_SERVER_TESTING_CLUSTER_SIMULATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lockstep/v1/job.pb.h"
#include "server/async_runner.h"
#include "server/job_runner.h"
#include "server/testing/fake_worker.h"
#include "server/worker_registry.h"

namespace lockstep::server {

struct SimulationOptions {
  v1::JobSpec spec;
  uint64_t seed = 1;
  // Chances of 1,000 that a move is one of these.
  int joins = 20;
  int leaves = 6;
  int kills = 10;
  int stalls = 10;
  int server_deaths = 2;
  // Chance of 1,000 that an answer is wrong. Only what is audited is safe then.
  int wrong_answers = 0;
  // The order of updates to repeat; empty: none.
  v1::Arrivals replay;
  // After so many moves nothing more goes wrong, so that the job ends.
  int wild_moves = 3000;
  size_t most_workers = 6;
  // A slow worker makes one move in so many of its own.
  int slowness = 200;
  // So many are there from the beginning; with more troubles they are more often lost.
  size_t first_workers = 0;
};

// What a life has shown; counts are for tests that something was tried at all.
struct SimulationOutcome {
  std::string trouble;  // empty: the job has succeeded
  std::string hash;     // of parameters and optimizer state
  v1::Job job;          // progress at the end
  std::vector<v1::EpochMetrics> epochs;
  uint32_t most_sums = 0;  // partial sums of a chunk that the server has held
  v1::Arrivals arrivals;   // the log, where the order of arrival decides the bits
  std::map<std::string, int> happened;
};

class ClusterSimulation : public JobRunnerHost {
 public:
  explicit ClusterSimulation(SimulationOptions options);

  // One life, from the first worker to the job's end.
  SimulationOutcome Run();
  // The same with as many workers as the job needs, to which nothing happens.
  SimulationOutcome RunCalmly();

  // ---- JobRunnerHost
  void OnRunning(const std::string&, const std::string&) override {}
  void OnEpoch(const std::string&, const v1::EpochMetrics& metrics) override;
  void OnWorkerReleased(const std::string&, const std::string&) override {}
  void OnDigest(const std::string&, const v1::StepDigest&) override {}
  void OnArrivals(const std::string&, const v1::Arrivals& arrivals) override;
  void OnCheckpoint(const std::string&, Checkpoint checkpoint) override;
  void OnEnded(const std::string&, v1::JobState state, const std::string& reason,
               std::optional<Checkpoint> checkpoint) override;
  void OnQuarantine(const std::string&, const std::string& worker,
                    const std::string& reason) override;
  void OnEvent(const std::string&, const std::string& kind, const std::string&) override;
  void OnRewind(const std::string&, Rewind rewind) override;

 private:
  struct SimulatedWorker {
    std::shared_ptr<FakeWorker> worker;
    // Says and does nothing until then, heartbeats included.
    absl::Time silent_until = absl::InfinitePast();
    // One move in so many is its own.
    int slowness = 1;
    bool leaving = false;
  };

  uint32_t Dice(uint32_t sides) { return static_cast<uint32_t>(random_() % sides); }
  bool Chance(int of_thousand) { return Dice(1000) < static_cast<uint32_t>(of_thousand); }
  void StartServer(std::optional<Rewind> rewind);
  absl::StatusOr<std::shared_ptr<JobExecution>> MakeRunner(JobOptions options,
                                                           std::optional<Rewind> rewind) const;
  void Join();
  void Disconnect(const std::string& name);
  // One random event; `wild`: trouble included.
  void Move(bool wild);
  void MakeTrouble(const std::string& name);
  void KillServer();
  void LetWork(const std::string& name);
  void Deliver(const std::string& name, FakeWorker::Answer answer);
  void Spoil(FakeWorker::Answer* answer);
  void WatchLeases();
  // Whether the server has held more partial sums than it must.
  void WatchSums();
  void CarryOutWishes();
  SimulationOutcome Outcome();
  std::string RandomWorker();

  const SimulationOptions options_;
  std::mt19937_64 random_;
  const int64_t total_elements_;
  absl::Time now_ = absl::UnixEpoch();
  std::shared_ptr<JobExecution> runner_;
  WorkerRegistry registry_;
  std::map<std::string, SimulatedWorker> workers_;  // zombies included
  int joined_ = 0;
  bool wild_ = true;

  // The disk.
  std::vector<Checkpoint> checkpoints_;
  std::vector<v1::EpochMetrics> epochs_;
  std::vector<v1::Arrivals> arrivals_;
  // What the runner wants; done when it has returned.
  std::map<std::string, std::string> to_quarantine_;
  std::optional<Rewind> rewind_;

  bool ended_ = false;
  v1::JobState state_ = v1::JOB_STATE_UNSPECIFIED;
  std::string reason_;
  std::optional<Checkpoint> last_;
  std::string trouble_;
  uint32_t most_sums_ = 0;
  std::map<std::string, int> happened_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_TESTING_CLUSTER_SIMULATION_H_
