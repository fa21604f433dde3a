// A job that is being trained, as its owner sees it: workers come and go, what
// they answer goes in, what became of it is told to the host. One implementation
// for each way in which the shards' results meet (docs/consistency.md).
#ifndef LOCKSTEP_SERVER_JOB_EXECUTION_H_
#define LOCKSTEP_SERVER_JOB_EXECUTION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engine/data/named_tensor.h"
#include "engine/model/build_model.h"
#include "engine/tensor.h"
#include "lockstep/v1/job_service.pb.h"
#include "lockstep/v1/worker_service.pb.h"
#include "server/rewind.h"
#include "server/storage/checkpoint.h"
#include "server/worker_link.h"

namespace lockstep::server {

// What a job tells its owner. Called with the job's lock held: an
// implementation queues and returns, and must not call the job back.
class JobRunnerHost {
 public:
  virtual ~JobRunnerHost() = default;
  // The job's first round begins, or it waits again (`reason` not empty).
  virtual void OnRunning(const std::string& job_id, const std::string& reason) = 0;
  virtual void OnEpoch(const std::string& job_id, const v1::EpochMetrics& metrics) = 0;
  // A worker that was to be released has none of the job's work any more.
  virtual void OnWorkerReleased(const std::string& job_id, const std::string& worker) = 0;
  // Digests of the parameters after a step, in the layout's order.
  virtual void OnDigest(const std::string& job_id, const v1::StepDigest& digest) = 0;
  // Where the order of arrival decides the bits: what arrived since the last
  // call, up to a step after which a checkpoint comes.
  virtual void OnArrivals(const std::string& job_id, const v1::Arrivals& arrivals) = 0;
  // A state worth keeping; nothing in it changes any more.
  virtual void OnCheckpoint(const std::string& job_id, Checkpoint checkpoint) = 0;
  // The job does nothing more. The checkpoint is absent where the last
  // one is the best there is.
  virtual void OnEnded(const std::string& job_id, v1::JobState state, const std::string& reason,
                       std::optional<Checkpoint> checkpoint) = 0;
  // The worker's answers were wrong; the job gives it no more work, and its
  // owner is to keep it from other jobs too.
  virtual void OnQuarantine(const std::string& job_id, const std::string& worker,
                            const std::string& reason) = 0;
  // For the job's events. `kind`: a few lower-case words with `_`.
  virtual void OnEvent(const std::string& job_id, const std::string& kind,
                       const std::string& message) = 0;
  // The runner does nothing more: make one that goes on from `rewind`.
  virtual void OnRewind(const std::string& job_id, Rewind rewind) = 0;
};

// What a job needs to be run.
struct JobOptions {
  std::string job_id;
  v1::JobSpec spec;      // valid, with defaults and data_summary
  LayerRegistry layers;  // those that the spec may name besides job.proto's
  std::function<absl::Time()> now;
  JobRunnerHost* host = nullptr;  // outlives the job
  // On the disk of the checkpoints, for copies of large states while they are written;
  // empty: in memory.
  std::string scratch_folder;
  // Where to begin: a checkpoint, else these parameters, else the seed's.
  std::optional<Checkpoint> checkpoint;
  // Whether that checkpoint is another job's, from which this one goes on.
  bool checkpoint_is_forked = false;
  std::optional<std::vector<data::NamedTensor>> initial_parameters;
  // Measurements up to the checkpoint's step.
  std::vector<v1::EpochMetrics> epochs;
};

// Threads: any.
class JobExecution {
 public:
  virtual ~JobExecution() = default;

  // Gives the job a worker; it is asked to prepare the job.
  virtual void AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) = 0;
  // Takes a worker away, dead or alive; its unfinished nodes are handed out again.
  virtual void RemoveWorker(const std::string& name) = 0;
  // Gives a worker up when it has finished the nodes that it has; the host is
  // told then. OK for one that is not there: the host is told at once.
  virtual void ReleaseWorker(const std::string& name) = 0;

  // What workers answer. InvalidArgument: a message that no honest worker
  // sends; the caller closes the worker's stream. Answers that come too late
  // are dropped and OK.
  virtual absl::Status OnJobReady(const std::string& name, const v1::JobReady& message) = 0;
  virtual absl::Status OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                                       Tensor values) = 0;
  virtual absl::Status OnNodeResult(const std::string& name, const v1::NodeResult& message) = 0;

  // Ends the job with `state` and `reason` after the present step, or at once
  // where no step goes on. kQueued stands for "to be continued" (server stops).
  virtual void Stop(v1::JobState state, const std::string& reason) = 0;
  // Ends the job now, without a checkpoint.
  virtual void Fail(const std::string& reason) = 0;

  // Begins nothing further until it is called with an empty text; `status`
  // shows the reason. What is in hand is finished.
  virtual void Hold(const std::string& reason) = 0;

  // Looks for workers that take too long. Call it a few times per 100 ms.
  virtual void Tick() = 0;
  // How long a silent worker of this job is believed to live: `least`, or more
  // where its steps are long, as the job then loses little by waiting and much
  // by taking a busy machine for a dead one.
  virtual absl::Duration Lease(absl::Duration least) const = 0;

  // A worker that cannot take part, for the reason that `status` shows.
  virtual void NoteRefusal(const std::string& name, const std::string& message) = 0;
  // It is gone; another one of that name may take part.
  virtual void ForgetRefusal(const std::string& name) = 0;

  // The parameters' names, in the order of a StepDigest's tensors.
  virtual std::vector<std::string> ParameterNames() const = 0;
  // Fills progress, workers and, while it waits, state_reason.
  virtual void FillProgress(v1::Job* job) const = 0;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_JOB_EXECUTION_H_
