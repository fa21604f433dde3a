// Runs one job: opens rounds, hands out shards, takes in gradients and losses,
// commits steps. Every decision of a job's life is made here, with no network,
// disk, thread or clock of its own.
//
// A round is one training step or one pass over the validation examples:
//   1. Every ready worker gets an even run of shards, as nodes of the tree,
//      and, where it lacks them, the parameters.
//   2. Each node's gradient arrives in chunks. A chunk whose tree is complete
//      is put through the optimizer and sent to the workers at once; all of them
//      together where the whole gradient is needed.
//   3. When all chunks and the losses are in, the step is committed.
// A worker that is lost frees its nodes, which go to the others in the same
// round; one that comes gets work at the next (or at once, where nobody is).
#ifndef LOCKSTEP_SERVER_JOB_RUNNER_H_
#define LOCKSTEP_SERVER_JOB_RUNNER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/model/build_model.h"
#include "engine/model/job_plan.h"
#include "engine/optim/plateau.h"
#include "engine/optim/schedule.h"
#include "lockstep/v1/job_service.pb.h"
#include "lockstep/v1/worker_service.pb.h"
#include "server/job_execution.h"
#include "server/parameter_store.h"
#include "server/reduction_tree.h"
#include "server/step_aggregation.h"
#include "server/storage/checkpoint.h"
#include "server/throughput.h"
#include "server/worker_link.h"

namespace lockstep::server {

// Threads: any.
class JobRunner : public JobExecution {
 public:
  // ResourceExhausted where a server with so many bytes of memory cannot hold
  // the job: parameters, their next version, the optimizer's state, gradients
  // and checkpoints that wait for the disk.
  static absl::Status CheckMemory(const v1::JobSpec& spec, const ModelPlan& plan, uint64_t bytes);

  struct Options {
    std::string job_id;
    v1::JobSpec spec;      // valid, with defaults and data_summary
    LayerRegistry layers;  // those that the spec may name besides job.proto's
    std::function<absl::Time()> now;
    JobRunnerHost* host = nullptr;  // outlives the runner
    // Where to begin: a checkpoint, else these parameters, else the seed's.
    std::optional<Checkpoint> checkpoint;
    // Whether that checkpoint is another job's, from which this one goes on.
    bool checkpoint_is_forked = false;
    std::optional<std::vector<data::NamedTensor>> initial_parameters;
    // Measurements up to the checkpoint's step.
    std::vector<v1::EpochMetrics> epochs;
  };

  // Errors: InvalidArgument: a model that cannot be built, or tensors that are
  // not its own.
  static absl::StatusOr<std::shared_ptr<JobRunner>> Create(Options options);
  // The parameters as the seed gives them, with the optimizer's empty state.
  // Errors: as Create.
  static absl::StatusOr<std::unique_ptr<ParameterStore>> MakeStore(const v1::JobSpec& spec,
                                                                   const LayerRegistry& layers);

  void AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) override;
  void RemoveWorker(const std::string& name) override;
  void ReleaseWorker(const std::string& name) override;
  absl::Status OnJobReady(const std::string& name, const v1::JobReady& message) override;
  absl::Status OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                               Tensor values) override;
  absl::Status OnNodeResult(const std::string& name, const v1::NodeResult& message) override;
  void Stop(v1::JobState state, const std::string& reason) override;
  void Fail(const std::string& reason) override;
  void NoteRefusal(const std::string& name, const std::string& message) override;
  void ForgetRefusal(const std::string& name) override;
  std::vector<std::string> ParameterNames() const override;
  void FillProgress(v1::Job* job) const override;

 private:
  // A node handed out, and which of its chunks have come.
  struct Outstanding {
    std::vector<bool> chunks;
    int missing = 0;
  };
  struct Participant {
    std::shared_ptr<WorkerLink> link;
    bool ready = false;
    bool leaving = false;  // gets no further nodes
    // Version whose chunks it has all been sent.
    std::optional<uint64_t> version;
    // It is sent each chunk of the next version as soon as there is one.
    bool follows = false;
    std::map<ShardNode, Outstanding> outstanding;
    int first_shard = 0;  // what it was given in this round, for people
    int end_shard = 0;
  };
  struct AddDoubles {
    void operator()(double& into, double&& other) const { into += other; }
  };
  using LossTree = ReductionTree<double, AddDoubles>;

  JobRunner(Options options, std::unique_ptr<ParameterStore> store);

  absl::Status Restore(const Checkpoint& checkpoint, bool is_forked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Begins the next round, if there is one, and workers for it.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartRound() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOut(const std::vector<std::string>& names,
               const std::vector<std::vector<ShardNode>>& nodes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The nodes' shards, one by one where each one's gradient is to be digested.
  std::vector<ShardNode> MaybeCut(const std::vector<ShardNode>& nodes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOutFreedNodes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendCurrentParameters(Participant& participant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishChunk(int chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishRoundIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CommitStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndEpoch(std::optional<double> validation_loss_sum) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(v1::JobState state, const std::string& reason, bool with_checkpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t DigestOfGradient(const Tensor& values) const;
  void RecordDigest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Checkpoint Snapshot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::string> ReadyWorkers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it takes in what it is sent so slowly that more would only pile up:
  // a version of the parameters and 16 MiB wait for it.
  bool IsBehind(const Participant& participant) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Those that are not behind; all where none is abreast.
  std::vector<std::string> WorkersForRound() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetWaiting(bool waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WaitingReason() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whom a round waits for that takes far longer than those before; empty: none does.
  std::string SlowRoundReason() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why the loss is not finite, as far as a worker has said.
  std::string DivergenceReason() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t RoundExamples() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string job_id_;
  const v1::JobSpec spec_;
  const JobPlan plan_;
  const std::function<absl::Time()> now_;
  JobRunnerHost* const host_;
  const optim::Schedule schedule_;
  // Its chunks are computed without mutex_, under the aggregation's own locks.
  const std::unique_ptr<ParameterStore> store_;

  mutable absl::Mutex mutex_;
  std::map<std::string, Participant> participants_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> refusals_ ABSL_GUARDED_BY(mutex_);
  std::vector<ShardNode> freed_ ABSL_GUARDED_BY(mutex_);  // of this round, nobody's

  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = true;
  bool announced_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time waiting_since_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::pair<v1::JobState, std::string>> stop_ ABSL_GUARDED_BY(mutex_);

  uint64_t step_ ABSL_GUARDED_BY(mutex_) = 0;  // committed steps
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;
  bool in_round_ ABSL_GUARDED_BY(mutex_) = false;
  v1::RoundKind kind_ ABSL_GUARDED_BY(mutex_) = v1::TRAIN;  // of this or the next round
  std::shared_ptr<StepAggregation> aggregation_ ABSL_GUARDED_BY(mutex_);
  double learning_rate_factor_ ABSL_GUARDED_BY(mutex_) = 1;  // the schedule's, in training
  int chunks_done_ ABSL_GUARDED_BY(mutex_) = 0;
  int chunks_in_flight_ ABSL_GUARDED_BY(mutex_) = 0;  // being added, without mutex_
  std::unique_ptr<LossTree> losses_ ABSL_GUARDED_BY(mutex_);
  uint64_t correct_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t predictions_ ABSL_GUARDED_BY(mutex_) = 0;
  // With tensor_digests.shards, in training: of each shard's chunks, one shard
  // after another, as they come.
  std::vector<uint64_t> shard_chunk_digests_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> digested_step_ ABSL_GUARDED_BY(mutex_);
  // What the workers said of losses that are not finite: the lowest shard's.
  std::map<ShardNode, std::string> anomalies_ ABSL_GUARDED_BY(mutex_);
  absl::Time round_started_ ABSL_GUARDED_BY(mutex_);

  std::optional<double> training_loss_ ABSL_GUARDED_BY(mutex_);
  double epoch_loss_sum_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t epoch_examples_ ABSL_GUARDED_BY(mutex_) = 0;
  double epoch_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  double training_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<v1::EpochMetrics> epochs_ ABSL_GUARDED_BY(mutex_);
  // The step after which validation was measured last.
  std::optional<uint64_t> measured_step_ ABSL_GUARDED_BY(mutex_);
  optim::Plateau plateau_ ABSL_GUARDED_BY(mutex_);
  Throughput throughput_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_JOB_RUNNER_H_
