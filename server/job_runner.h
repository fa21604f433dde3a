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
//
// A node may have several workers (job_runner_ballots.cc): two where it is
// audited, one more where the first takes far longer than is usual, a third
// where two differ. Who is found wrong is quarantined. A wrong sum that counted
// already ends this runner: its owner makes another one from a checkpoint
// before it (OnRewind).
#ifndef LOCKSTEP_SERVER_JOB_RUNNER_H_
#define LOCKSTEP_SERVER_JOB_RUNNER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/model/job_plan.h"
#include "engine/optim/schedule.h"
#include "lockstep/v1/job_service.pb.h"
#include "lockstep/v1/worker_service.pb.h"
#include "server/job_execution.h"
#include "server/node_ballot.h"
#include "server/parameter_store.h"
#include "server/participants.h"
#include "server/rewind.h"
#include "server/send_credit.h"
#include "server/shard_ledger.h"
#include "server/step_aggregation.h"
#include "server/storage/checkpoint.h"
#include "server/training_measurements.h"
#include "server/work_pace.h"
#include "server/worker_link.h"

namespace lockstep::server {

// Threads: any.
class JobRunner : public JobExecution {
 public:
  struct Options : JobOptions {
    // Of the runner before, where that had to go back.
    std::optional<Rewind> rewind;
  };

  // Errors: as BuildParameterStore; InvalidArgument: tensors that are not the
  // model's own.
  static absl::StatusOr<std::shared_ptr<JobRunner>> Create(Options options);

  void AddWorker(const std::string& name, std::shared_ptr<WorkerLink> link) override;
  void RemoveWorker(const std::string& name) override;
  void ReleaseWorker(const std::string& name) override;
  absl::Status OnJobReady(const std::string& name, const v1::JobReady& message) override;
  absl::Status OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                               Tensor values) override;
  absl::Status OnNodeResult(const std::string& name, const v1::NodeResult& message) override;
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
  // A node handed out, and which of its chunks have come.
  struct Outstanding {
    std::vector<bool> chunks;
    int missing = 0;
    bool held = false;  // its worker must not send it yet
  };
  struct Participant : Participation {
    // It is sent each chunk of the next version as soon as there is one.
    bool follows = false;
    std::map<ShardNode, Outstanding> outstanding;
    // Since when it has had what is outstanding, and how many shards that was.
    absl::Time asked_at;
    int asked_shards = 0;
    // Some of it had to wait until it could be sent: its time is no measure.
    bool was_held = false;
    // Nodes of earlier rounds that it has not answered: until then it is
    // behind, and gets work only where nobody else is there.
    std::set<std::pair<uint64_t, ShardNode>> late;
    // Shards of its that counted without a second opinion, for people.
    uint64_t unaudited_shards = 0;
    int first_shard = 0;  // what it was given in this round, for people
    int end_shard = 0;
  };
  // A node that two workers had when its round ended: the slower one's answer is
  // still compared.
  struct PastBallot {
    uint64_t round = 0;
    uint64_t step = 0;
    ShardNode node;
    NodeBallot ballot;
  };

  JobRunner(Options options, std::unique_ptr<ParameterStore> store);

  void GoOnFrom(Rewind rewind) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Restore(const Checkpoint& checkpoint, bool is_forked)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Begins the next round, if there is one, and workers for it.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartRound() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The round's nodes for so many workers, those of `audited` by themselves.
  std::vector<std::vector<ShardNode>> Assign(int workers,
                                             const std::vector<ShardNode>& audited) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOut(const std::vector<std::string>& names,
               const std::vector<std::vector<ShardNode>>& nodes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOutTo(const std::string& name, const std::vector<ShardNode>& nodes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The nodes' shards, one by one where each one's gradient is to be digested.
  std::vector<ShardNode> MaybeCut(const std::vector<ShardNode>& nodes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOutFreedNodes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What a worker that is gone, or not trusted any more, leaves behind.
  void FreeNodesOf(Participant& participant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Hands out again what nobody works on, or ends a round that needs nobody.
  void GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After an answer: a worker that has given all is measured, and free.
  void NoteAnswered(Participant& participant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A worker has not computed a node that it was given.
  void OnSkipped(const std::string& name, Participant& participant, uint64_t round,
                 const ShardNode& node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckNodeResult(const Participant& participant, const v1::NodeResult& message) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckGradientChunk(const Participant& participant, const v1::GradientChunk& message,
                                  int64_t elements) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A chunk of the node has been added, or dropped.
  void NoteAdded(const ShardNode& node) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    adding_.erase(adding_.find(node.first));
  }
  void CountLosses(const std::string& name, const ShardNode& node, const Losses& losses)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- which sums may be sent (job_runner_credit.cc)
  // Before nodes are handed out: whoever may send because of them is told.
  void AskCredit(const std::vector<std::vector<ShardNode>>& nodes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of the node with its worker: whether it must wait.
  bool HoldBack(const std::string& name, Participant& participant, const ShardNode& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // After something has come that counts: the next ones may send.
  void GiveCredit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellSenders(const std::vector<ShardNode>& nodes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether all that it has in hand waits for credit: no reason to wonder about it.
  static bool IsHeldBack(const Participant& participant);
  uint32_t MostSums() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- several workers for one node (job_runner_ballots.cc)
  // The round's audited nodes, with a ballot for each.
  std::vector<ShardNode> OpenAudits() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives each audited node a second worker beside the one that has it.
  void HandOutAudits(const std::vector<std::string>& names,
                     const std::vector<std::vector<ShardNode>>& nodes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives a late worker's nodes to `idle` ones, and takes those off the list.
  // Requires: there are some.
  void Speculate(const Participant& late, std::vector<std::string>* idle)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Asks somebody else about nodes whose answers are missing or differ.
  void SettleBallots() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Who is to be asked about the node; empty: nobody can be.
  std::string NextToAsk(const ShardNode& node, const NodeBallot& ballot) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int HoldersOf(const ShardNode& node) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes in one part of an answer about a node with a ballot; whether it
  // counts. May end the runner.
  bool CastVote(const std::string& name, const ShardNode& node, int part, uint64_t digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // An answer of an earlier round: dropped, but compared where it has a PastBallot.
  void TakeLateAnswer(const std::string& name, Participant& participant, uint64_t round,
                      const ShardNode& node, int part, uint64_t digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasPastBallot(uint64_t round, const ShardNode& node) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepBallots() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool InConflict() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Quarantine(const std::string& name, uint64_t step, const ShardNode& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GoBack(uint64_t step, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string DisputeReason() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void SendCurrentParameters(Participant& participant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishChunk(int chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends a job that is to stop and cannot finish its step.
  void EndUnfinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishRoundIfDone() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CommitStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CheckpointIsDue(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndEpoch(std::optional<Losses> validation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(v1::JobState state, const std::string& reason, bool with_checkpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t DigestOfGradient(const Tensor& values) const;
  // Requires: a node of one shard.
  void KeepShardDigest(const ShardNode& node, int chunk, uint64_t digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes away a worker that is leaving and has nothing more in hand.
  void LetGo(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RecordDigest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Checkpoint Snapshot() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of those that may be given nodes the ones that are not behind, in answers or in taking in what
  // they are sent, idle ones first; all where there are none.
  std::vector<std::string> AvailableWorkers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of those the ones that have nothing to do.
  std::vector<std::string> IdleWorkers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How long shards of this kind of round take.
  WorkPace& Pace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return kind_ == v1::TRAIN ? training_pace_ : validation_pace_;
  }
  // Parts of a node's answer in this round: its chunks, and its losses as the last.
  int Parts() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether it takes in what it is sent so slowly that more would only pile up:
  // a version of the parameters and 16 MiB wait for it.
  bool IsBehind(const Participant& participant) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetWaiting(bool waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WaitingReason() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whom a round waits for that takes far longer than those before; empty: none does.
  std::string SlowRoundReason() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why the mean loss is not finite, as far as a worker has said.
  std::string DivergenceReason(double loss) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t RoundExamples() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string job_id_;
  const v1::JobSpec spec_;
  const JobPlan plan_;
  const std::function<absl::Time()> now_;
  JobRunnerHost* const host_;
  const std::string scratch_folder_;  // JobOptions'
  const optim::Schedule schedule_;
  // Its chunks are computed without mutex_, under the aggregation's own locks.
  const std::unique_ptr<ParameterStore> store_;

  mutable absl::Mutex mutex_;
  Participants<Participant> participants_ ABSL_GUARDED_BY(mutex_);
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
  // Of the nodes of which a chunk is being added, without mutex_: the first shard.
  std::multiset<int> adding_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<LossTree> losses_ ABSL_GUARDED_BY(mutex_);
  // Of a training step, and who waits for it by node (or did, and is gone).
  std::optional<SendCredit> credit_ ABSL_GUARDED_BY(mutex_);
  std::map<ShardNode, std::vector<std::string>> held_back_ ABSL_GUARDED_BY(mutex_);
  uint32_t most_sums_ ABSL_GUARDED_BY(mutex_) = 0;  // of the steps before
  // With tensor_digests.shards, in training: of each shard's chunks that count, one
  // shard after another.
  std::vector<uint64_t> shard_chunk_digests_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> digested_step_ ABSL_GUARDED_BY(mutex_);
  // What the workers said of losses that are not finite: the lowest shard's.
  std::map<ShardNode, std::string> anomalies_ ABSL_GUARDED_BY(mutex_);
  absl::Time round_started_ ABSL_GUARDED_BY(mutex_);

  std::map<ShardNode, NodeBallot> ballots_ ABSL_GUARDED_BY(mutex_);  // of this round
  std::deque<PastBallot> past_ballots_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::map<ShardNode, NodeBallot>> disputes_ ABSL_GUARDED_BY(mutex_);
  WorkPace training_pace_ ABSL_GUARDED_BY(mutex_);
  WorkPace validation_pace_ ABSL_GUARDED_BY(mutex_);
  ShardLedger ledger_ ABSL_GUARDED_BY(mutex_);
  uint64_t shards_audited_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t shards_speculated_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t answers_dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string hold_ ABSL_GUARDED_BY(mutex_);  // why no round may begin; empty: one may
  std::optional<absl::Time> last_commit_ ABSL_GUARDED_BY(mutex_);
  absl::Duration longest_pause_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_checkpoint_ ABSL_GUARDED_BY(mutex_);

  TrainingMeasurements measurements_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_JOB_RUNNER_H_
