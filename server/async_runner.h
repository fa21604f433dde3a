// Runs a job whose shards do not wait for each other: every shard's gradient is
// an update of its own, applied when it arrives, to whatever the parameters are
// by then (modes `async` and `bounded_staleness`; docs/consistency.md).
//
// Only at epochs' ends, and where a checkpoint is due, does everything that is
// on its way arrive before anything new begins: so validation and checkpoints
// are of a state that the order of arrival up to there decides. That order goes
// to the host before the checkpoint does, and given back as `replay` it leads to
// the same bits.
//
// async_runner.cc has the work that is handed out and what comes back,
// async_runner_lifecycle.cc workers that come and go, stops, checkpoints, the end.
#ifndef LOCKSTEP_SERVER_ASYNC_RUNNER_H_
#define LOCKSTEP_SERVER_ASYNC_RUNNER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/model/job_plan.h"
#include "engine/optim/schedule.h"
#include "server/arrival_order.h"
#include "server/job_execution.h"
#include "server/parameter_store.h"
#include "server/participants.h"
#include "server/shard_ledger.h"
#include "server/staleness_record.h"
#include "server/training_measurements.h"
#include "server/work_pace.h"

namespace lockstep::server {

// Threads: any.
class AsyncRunner : public JobExecution {
 public:
  struct Options : JobOptions {
    // The order to repeat, from the job's first update on; the job ends where it
    // does. Empty: none, as they come.
    v1::Arrivals replay;
  };

  // Errors: as JobRunner::Create.
  static absl::StatusOr<std::shared_ptr<AsyncRunner>> Create(Options options);

  void AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) override;
  void RemoveWorker(const std::string& name) override;
  void ReleaseWorker(const std::string& name) override;
  absl::Status OnJobReady(const std::string& name, const v1::JobReady& message) override;
  absl::Status OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                               Tensor values) override;
  absl::Status OnNodeResult(const std::string& name, const v1::NodeResult& message) override;
  // After the steps of which something has been handed out.
  void Stop(v1::JobState state, const std::string& reason) override;
  void Fail(const std::string& reason) override;
  void Hold(const std::string& reason) override;
  void Tick() override;
  absl::Duration Lease(absl::Duration least) const override;
  void NoteRefusal(const std::string& name, const std::string& message) override;
  void ForgetRefusal(const std::string& name) override;
  std::vector<std::string> ParameterNames() const override;
  void FillProgress(v1::Job* job) const override;

 private:
  // What a worker computes, and what of it has come.
  struct Work {
    Ticket ticket;  // in training
    int shard = 0;  // the ticket's, or one of the validation examples
    std::vector<Tensor> chunks;
    int missing = 0;
    double loss_sum = 0;
    absl::Time asked_at;
  };
  struct Participant : Participation {
    uint64_t round = 0;  // of its work; what comes of others is late
    std::optional<Work> work;
  };

  AsyncRunner(Options options, std::unique_ptr<ParameterStore> store);
  absl::Status Restore(const Checkpoint& checkpoint, bool is_forked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  uint64_t StepOf(uint64_t ticket) const { return ticket / static_cast<uint64_t>(plan_.shards); }
  uint64_t ExamplesOf(uint64_t ticket) const;

  // ---- work
  // The first step after `step_` at which everything must have arrived.
  uint64_t NextStop() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsAtStop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives work to whoever has none; where all is done, goes on behind it.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the job ends here; then it has.
  bool EndIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: there is none to be given now.
  bool GiveWork(Participant& participant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(Participant& participant, v1::RoundKind kind, uint64_t step, uint64_t version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendParameters(Participant& participant, uint64_t version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeBack(Participant& participant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckNodeResult(const Work& work, const v1::NodeResult& message) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the answer is to the work that the worker has; if it is late, it is counted.
  bool IsLate(const Participant& participant, uint64_t round) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EvaluationArrived(const Work& work, const v1::NodeResult& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Applies the work that has arrived whole, as far as the order allows.
  void Arrived(Work work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Apply(Work work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateParameters(const Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Measure(const Work& work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- where all has arrived
  void ReachStop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginEvaluation() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndEpoch(const std::optional<Losses>& validation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepState(bool is_best) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(v1::JobState state, const std::string& reason, bool with_checkpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RecordDigest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Checkpoint Snapshot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WaitingReason() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetWaiting(bool waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string job_id_;
  const v1::JobSpec spec_;
  const JobPlan plan_;
  const std::function<absl::Time()> now_;
  JobRunnerHost* const host_;
  const std::string scratch_folder_;  // JobOptions'
  const optim::Schedule schedule_;
  const std::unique_ptr<ParameterStore> store_;

  mutable absl::Mutex mutex_;
  Participants<Participant> participants_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ArrivalOrder> order_ ABSL_GUARDED_BY(mutex_);
  // The optimizer's, before this job's first.
  uint64_t earlier_updates_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_step_ ABSL_GUARDED_BY(mutex_);  // the job's, or the replay's end
  // In a replay: work that arrived before its turn, by update; and parameters
  // of earlier versions that work is still to begin with.
  std::map<uint64_t, Work> early_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::vector<Tensor>> versions_ ABSL_GUARDED_BY(mutex_);
  // Since the last checkpoint.
  v1::Arrivals arrivals_ ABSL_GUARDED_BY(mutex_);

  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = true;
  bool announced_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time waiting_since_ ABSL_GUARDED_BY(mutex_);
  std::string hold_ ABSL_GUARDED_BY(mutex_);  // why nothing may begin; empty: it may
  std::optional<std::pair<v1::JobState, std::string>> stop_ ABSL_GUARDED_BY(mutex_);
  // Where the stop that was asked for comes, or a checkpoint whose time has
  // come; fixed then.
  std::optional<uint64_t> stop_step_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> checkpoint_step_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_checkpoint_ ABSL_GUARDED_BY(mutex_);
  uint64_t step_ ABSL_GUARDED_BY(mutex_) = 0;  // the last stop: all before it has arrived
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;

  // Validation, while losses_ is not null.
  std::unique_ptr<LossTree> losses_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> shards_to_evaluate_ ABSL_GUARDED_BY(mutex_);

  absl::Time last_update_ ABSL_GUARDED_BY(mutex_);  // or when work began
  bool at_work_ ABSL_GUARDED_BY(mutex_) = false;
  WorkPace training_pace_ ABSL_GUARDED_BY(mutex_);
  WorkPace validation_pace_ ABSL_GUARDED_BY(mutex_);
  ShardLedger ledger_ ABSL_GUARDED_BY(mutex_);
  StalenessRecord staleness_ ABSL_GUARDED_BY(mutex_);
  TrainingMeasurements measurements_ ABSL_GUARDED_BY(mutex_);
  uint64_t answers_dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration longest_pause_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_ASYNC_RUNNER_H_
