// A job's runner, of either kind, and its fake workers, of which a test says who
// moves next.
#ifndef LOCKSTEP_SERVER_TESTING_HAND_MOVED_JOB_H_
#define LOCKSTEP_SERVER_TESTING_HAND_MOVED_JOB_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lockstep/v1/job.pb.h"
#include "server/job_execution.h"
#include "server/testing/fake_worker.h"

namespace lockstep::server {

// Keeps all that a job tells its owner.
struct RecordingHost : public JobRunnerHost {
  void OnRunning(const std::string&, const std::string& reason) override;
  void OnEpoch(const std::string&, const v1::EpochMetrics& metrics) override;
  void OnWorkerReleased(const std::string&, const std::string& worker) override;
  void OnDigest(const std::string&, const v1::StepDigest& digest) override;
  void OnArrivals(const std::string&, const v1::Arrivals& stretch) override;
  void OnCheckpoint(const std::string&, Checkpoint checkpoint) override;
  void OnEnded(const std::string&, v1::JobState state, const std::string& reason,
               std::optional<Checkpoint> checkpoint) override;
  void OnQuarantine(const std::string&, const std::string& worker,
                    const std::string& reason) override;
  void OnEvent(const std::string&, const std::string& kind, const std::string& message) override;
  void OnRewind(const std::string&, Rewind wanted) override;

  std::vector<std::string> reasons;
  std::map<std::string, std::string> quarantined;
  std::vector<std::string> events;
  std::optional<Rewind> rewind;
  std::vector<v1::EpochMetrics> epochs;
  std::vector<std::string> released;
  std::vector<v1::StepDigest> digests;
  v1::Arrivals arrivals;
  std::vector<Checkpoint> checkpoints;
  std::vector<v1::Arrivals> arrivals_then;  // at each checkpoint
  bool ended = false;
  v1::JobState final_state = v1::JOB_STATE_UNSPECIFIED;
  std::string final_reason;
  std::optional<Checkpoint> final_checkpoint;
};

// Elements of a ParameterStore's layout. Requires: a model of one linear layer.
int64_t ElementsOfLinearModel(const v1::JobSpec& spec);

// Of parameters and optimizer state.
std::string HashOf(const Checkpoint& checkpoint);

// Hands the answer to the job as the worker's.
absl::Status DeliverAnswer(JobExecution& job, const std::string& name,
                           const FakeWorker::Answer& answer);

// A test's own class derives from it and makes the runner. Threads: one.
class HandMovedJob {
 public:
  // The name of a new worker, which has been asked to prepare the job.
  std::string Join();
  void Leave(const std::string& name);
  // Lets a worker take in one message, or the runner one answer of its; false:
  // neither is there. Anything that is refused fails the test.
  bool Move(const std::string& name, bool answer_first = true);
  void Deliver(const std::string& name, FakeWorker::Answer answer);
  // Goes on, everyone in turn, until nobody has anything to do.
  void RunUntilQuiet();
  // Of the state that the job ended with.
  std::string Hash() const;

  const v1::JobSpec spec_;
  absl::Time now_ = absl::UnixEpoch();  // moves by 1 ms whenever the runner looks
  RecordingHost host_;
  std::shared_ptr<JobExecution> runner_;
  const int64_t total_elements_;  // of the parameters, with what pads them
  int joined_ = 0;
  std::map<std::string, std::shared_ptr<FakeWorker>> workers_;

 protected:
  explicit HandMovedJob(const v1::JobSpec& spec);
  HandMovedJob(const HandMovedJob&) = delete;  // the runner has its address
  HandMovedJob& operator=(const HandMovedJob&) = delete;

  // For the runner, with this clock and host.
  JobOptions Options();
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_TESTING_HAND_MOVED_JOB_H_
