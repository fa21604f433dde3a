// All jobs and workers of a server: the queue, who works for whom, what is
// written to disk. Each running job has a JobRunner, which does the training.
//
// Locks are taken in the order: manager, runner, link.
#ifndef LOCKSTEP_SERVER_JOB_MANAGER_H_
#define LOCKSTEP_SERVER_JOB_MANAGER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/model/layer_registry.h"
#include "lockstep/v1/job_service.pb.h"
#include "lockstep/v1/worker_service.pb.h"
#include "server/background_queue.h"
#include "server/job_execution.h"
#include "server/steady_clock.h"
#include "server/storage/job_store.h"
#include "server/worker_registry.h"

namespace lockstep::server {

// Threads: any.
class JobManager : public JobRunnerHost {
 public:
  struct Options {
    std::string state_dir;
    // A worker not heard from for this long is given up.
    absl::Duration lease = absl::Seconds(3);
    // Layers beside job.proto's that jobs may name.
    LayerRegistry layers;
    std::function<absl::Time()> now = SteadyNow;
  };

  // Opens the state folder and queues again the jobs that had not ended.
  // Errors: as JobStore::Open.
  static absl::StatusOr<std::unique_ptr<JobManager>> Open(Options options);
  ~JobManager() override;

  // ---- for clients (JobService's comments say what they return)
  // The most bytes that Submit can need of init_from's file. InvalidArgument,
  // ResourceExhausted: Submit would refuse the specification.
  absl::StatusOr<size_t> MostInitialBytes(v1::JobSpec spec);
  // `initial_data`: the bytes of the spec's init_from or forked_from; `replay`:
  // the order of updates to repeat.
  absl::StatusOr<v1::Job> Submit(v1::JobSpec spec, const std::string& initial_data,
                                 const v1::Arrivals& replay = {});
  // A job that goes on from a checkpoint of another one of this server's.
  absl::StatusOr<v1::Job> SubmitFork(v1::JobSpec spec, const v1::ForkRequest& from);
  absl::StatusOr<v1::Job> Get(const std::string& job_id);
  absl::StatusOr<std::vector<v1::Job>> List();
  // Waits until the job has stopped, at most until `deadline`.
  absl::StatusOr<v1::Job> Cancel(const std::string& job_id, absl::Time deadline);
  absl::StatusOr<v1::Job> Pause(const std::string& job_id, absl::Time deadline);
  absl::StatusOr<v1::Job> Resume(const std::string& job_id);
  absl::StatusOr<std::string> ModelBytes(const std::string& job_id, std::optional<uint64_t> step);
  absl::StatusOr<v1::ListCheckpointsResponse> Checkpoints(const std::string& job_id);
  absl::StatusOr<std::string> CheckpointBytes(const std::string& job_id, uint64_t step);
  absl::StatusOr<v1::ListReceiptsResponse> Receipts(const std::string& job_id);
  absl::StatusOr<std::vector<v1::Arrivals>> Arrivals(const std::string& job_id);
  absl::StatusOr<v1::JobDigests> Digests(const std::string& job_id, uint64_t after_step);
  std::vector<v1::Worker> Workers();
  // Returns when the disk has it. Errors beside NotFound: those of writing; the worker
  // is trusted all the same, until the server ends.
  absl::StatusOr<v1::LiftQuarantineResponse> LiftQuarantine(const std::string& name);
  // Returns after some job's state has changed, or after `timeout`.
  void WaitForChange(absl::Duration timeout);

  // ---- for workers' streams
  // Returns the worker's unique name. Errors: as WorkerRegistry::Add.
  absl::StatusOr<std::string> ConnectWorker(const v1::Register& self,
                                            std::shared_ptr<WorkerLink> link);
  // `values`: the payload of a gradient chunk. Any error: close the stream.
  absl::Status OnWorkerMessage(const std::string& name, const v1::WorkerMessage& message,
                               Tensor values);
  // The stream has ended. OK to call for an unknown worker.
  void DisconnectWorker(const std::string& name);
  // Gives up workers whose lease has lapsed, finds those that take too long, and
  // writes again what a full disk did not take. Call it every 20 ms or so.
  void Tick();

  // Stops all jobs after their present step, so that a server started later
  // on the same state folder goes on with them; waits at most `timeout`.
  void Shutdown(absl::Duration timeout);

  // What workers connect to, for messages that say how to start one.
  void SetAddress(const std::string& address);

  absl::Duration lease() const { return options_.lease; }

  // ---- JobRunnerHost
  void OnRunning(const std::string& job_id, const std::string& reason) override;
  void OnEpoch(const std::string& job_id, const v1::EpochMetrics& metrics) override;
  void OnWorkerReleased(const std::string& job_id, const std::string& worker) override;
  void OnDigest(const std::string& job_id, const v1::StepDigest& digest) override;
  void OnArrivals(const std::string& job_id, const v1::Arrivals& arrivals) override;
  void OnCheckpoint(const std::string& job_id, Checkpoint checkpoint) override;
  void OnEnded(const std::string& job_id, v1::JobState state, const std::string& reason,
               std::optional<Checkpoint> checkpoint) override;
  void OnQuarantine(const std::string& job_id, const std::string& worker,
                    const std::string& reason) override;
  void OnEvent(const std::string& job_id, const std::string& kind,
               const std::string& message) override;
  void OnRewind(const std::string& job_id, Rewind rewind) override;

 private:
  // A job that is queued or running.
  struct ActiveJob {
    v1::JobSpec spec;
    v1::JobState state = v1::QUEUED;
    std::string reason;
    std::shared_ptr<JobExecution> runner;  // null until it first gets workers
    bool activating = false;
    // What a client wants it to become, CANCELLED or PAUSED.
    std::optional<v1::JobState> wanted_end;
    // Times it has been queued again by itself; not before the next time
    // comes; and how it failed last.
    uint32_t retries_used = 0;
    absl::Time retry_at = absl::InfinitePast();
    std::string last_failure;
    std::map<std::string, std::string> refusals;  // by worker's name
    std::vector<std::string> tensors;             // the parameters' names, once it runs
    // Why its newest state or measurements are not on the disk; empty: they are.
    std::string unsaved;
    // Why it begins no further step; empty: the disk is not full, and what waits
    // to be written is not too much.
    std::string disk_hold;
    std::string backlog_hold;
    // What the next runner is to go on with, where the last one had to go back.
    std::shared_ptr<Rewind> rewind;
  };
  // The end of a job whose last checkpoint the full disk did not take.
  struct UnsavedEnd {
    v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
    std::string reason;
    std::shared_ptr<const std::optional<Checkpoint>> checkpoint;
  };

  struct PendingCheckpoint {
    Checkpoint checkpoint;
    // Where there is a newer one, only the receipt is wanted.
    bool wants_file = true;
  };
  // What a job has measured and kept and is not on the disk yet. They go there
  // together, so that no checkpoint is newer than the measurements.
  struct Pending {
    std::vector<v1::EpochMetrics> epochs;        // oldest first
    v1::JobDigests digests;                      // oldest first
    std::vector<v1::Arrivals> arrivals;          // oldest first
    std::vector<PendingCheckpoint> checkpoints;  // oldest first
  };

  JobManager(Options options, std::unique_ptr<JobStore> store);

  void AddActive(const std::string& job_id, const v1::JobSpec& spec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Brings a job to rest in the state CANCELLED or PAUSED.
  absl::StatusOr<v1::Job> StopJob(const std::string& job_id, v1::JobState wanted,
                                  absl::Time deadline);
  // The same for one that is at rest already, or an error that says why not.
  absl::StatusOr<v1::Job> ChangeStoppedJob(v1::Job job, v1::JobState wanted);
  // Gives workers to jobs and has others leave; builds runners for jobs that
  // get their first.
  void Reschedule() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AddEvents(v1::Job* job);
  // Takes the end of a job from memory where the disk was too full for it.
  void ApplyUnrecordedEnd(v1::Job* job) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets a worker whose stream may still be there.
  void GiveUp(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  // FailedPrecondition where nothing is left to do: it has succeeded, and its
  // model is whole.
  absl::Status CheckResumable(const v1::Job& job);
  std::string QueueReason(const ActiveJob& job) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnJobError(const std::string& name, const v1::JobError& error);
  void CheckLeases();
  // Tells workers, jobs that run and the log who is trusted again.
  void AnnounceLifted(const std::vector<v1::Worker>& lifted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Posts what a full disk did not take, once a second.
  void WriteAgain();
  // Holds the job's runner where `status` is that of a full disk, else lets it go on.
  void HoldForDisk(const std::string& job_id, const absl::Status& status);
  // Holds those whose checkpoints come faster than they are hashed: each may have
  // a receipt, so none may be forgotten, and memory is finite.
  void HoldForBacklog();
  // Has a worker leave its job after what it has in hand.
  void Release(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends a worker away from its job: it is idle.
  void MakeIdle(RegisteredWorker& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadRetries(const std::string& job_id, ActiveJob* job);
  std::shared_ptr<JobExecution> RunnerOf(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- on the background thread
  void Activate(const std::string& job_id);
  absl::Status KeepQuarantines() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::shared_ptr<JobExecution>> MakeRunner(const std::string& job_id,
                                                           const v1::JobSpec& spec,
                                                           const std::shared_ptr<Rewind>& rewind);
  absl::StatusOr<std::shared_ptr<JobExecution>> MakeAsyncRunner(JobOptions options);
  // SaveCheckpoint by the job's policy, with its ledger.
  absl::Status Save(const std::string& job_id, const v1::JobSpec& spec,
                    const Checkpoint& checkpoint);
  void WritePending(const std::string& job_id);
  // Copies the database, where its copy is older than `age`.
  void BackUp(absl::Duration age);
  // Writes them, and takes away those that it has written.
  absl::Status WriteCheckpoints(const std::string& job_id, const v1::JobSpec& spec,
                                std::vector<PendingCheckpoint>* checkpoints);
  // Of the newest a file is wanted (unless `newer_comes`), and of the newest of the best.
  static void DropFilesOfOlder(std::vector<PendingCheckpoint>* checkpoints, bool newer_comes);
  // Puts back what the disk did not take, before what has come since.
  void KeepPending(const std::string& job_id, Pending pending);
  // Whether the end waits until the disk has room for its checkpoint.
  bool WaitForDisk(const std::string& job_id, v1::JobState state, const std::string& reason,
                   const Checkpoint& checkpoint, const absl::Status& status);
  // The digests and the order of arrival that wait, before a checkpoint or the job's end
  // is written: no checkpoint is newer than the log.
  absl::Status WriteProof(const std::string& job_id);
  void RecordEndsAgain();
  void FinishJob(const std::string& job_id, v1::JobState state, std::string reason,
                 const std::optional<Checkpoint>& checkpoint);
  // Whether a job that has failed is to be tried again; then it is queued.
  bool Retry(const std::string& job_id, const std::string& reason);
  void Report(const std::string& job_id, const absl::Status& status);

  const Options options_;
  const std::unique_ptr<JobStore> store_;

  absl::Mutex mutex_;
  // By number: in order of submission.
  std::map<int64_t, ActiveJob> active_ ABSL_GUARDED_BY(mutex_);
  WorkerRegistry registry_ ABSL_GUARDED_BY(mutex_);
  std::string address_ ABSL_GUARDED_BY(mutex_) = "HOST:PORT";
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Ends of jobs that could not be written down (a full disk), by number. They
  // are tried again until they are.
  std::map<int64_t, std::pair<v1::JobState, std::string>> unrecorded_ends_ ABSL_GUARDED_BY(mutex_);
  bool recording_again_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, UnsavedEnd> unsaved_ends_ ABSL_GUARDED_BY(mutex_);
  absl::Time backed_up_at_ = absl::InfinitePast();  // the background thread's own
  absl::Time write_again_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;

  // Its own lock: runners add to it under theirs.
  absl::Mutex pending_mutex_;
  std::map<std::string, Pending> pending_ ABSL_GUARDED_BY(pending_mutex_);

  BackgroundQueue background_;  // last: its tasks use the others
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_JOB_MANAGER_H_
