// One job on one worker: its data, its model, its parameters, and the rounds
// that it is sent.
#ifndef LOCKSTEP_WORKER_JOB_SESSION_H_
#define LOCKSTEP_WORKER_JOB_SESSION_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/layer_registry.h"
#include "lockstep/v1/worker_service.pb.h"
#include "worker/fault_injection.h"
#include "worker/node_computation.h"
#include "worker/node_queue.h"
#include "worker/parameter_replica.h"
#include "worker/server_stream.h"

namespace lockstep::worker {

// Threads: Prepare and Compute on the computing thread; replica() is safe for
// the network's.
class JobSession {
 public:
  // Loads the job's data and builds its model. Errors: those of JobData::Load
  // and BuildModel; FailedPrecondition where the data are not the job's.
  // `layers`: those that the job may name besides job.proto's. `faults` outlives it.
  static absl::StatusOr<std::shared_ptr<JobSession>> Prepare(const v1::PrepareJob& request,
                                                             const LayerRegistry& layers,
                                                             FaultInjection* faults);

  // Whether `request` asks for what is loaded already, as after a connection
  // that broke: then Renew, which forgets the parameters alone.
  bool Serves(const v1::PrepareJob& request) const;
  void Renew();

  const std::string& job_id() const { return job_id_; }
  const std::shared_ptr<ParameterReplica>& replica() const { return replica_; }
  // What is answered to PrepareJob.
  v1::WorkerMessage ReadyMessage() const;

  // Takes a chunk of parameters; `values` where they lie in shared memory (foreign)
  // or are a copy; `position`: of the channel, before the message.
  absl::Status TakeParameters(const v1::ParameterChunk& chunk, const Tensor& values,
                              uint64_t position);

  // Takes the round's nodes in hand. Errors: InvalidArgument: a round that no
  // honest server sends.
  absl::Status TakeRound(const v1::Round& round);
  // Sends what is named of what is held.
  void TakeSendNodes(const v1::SendNodes& nodes, ServerStream& stream);
  // Whether there is a node to compute now; one that would have to be held may
  // have to wait until others have been let go (NodeQueue).
  bool HasWork() const { return queue_.HasNext(held_.size()); }
  // Computes one node, sending its gradient and result, or keeping them where they
  // must be held. `look`: called now and then meanwhile where a SendNodes is
  // waited for, which it is to take. Errors: InvalidArgument: parameters that have
  // not been sent, or examples that the model cannot take; what is in hand is
  // forgotten then.
  absl::Status ComputeNext(ServerStream& stream, const std::function<void()>& look);

 private:
  // A node's answer: sent as it comes, or kept.
  struct NodeAnswer {
    QueuedNode of;
    std::vector<std::pair<int, Tensor>> chunks;  // kept ones
    std::optional<v1::WorkerMessage> result;     // it is whole
  };

  JobSession(const v1::PrepareJob& request, std::shared_ptr<const JobData> data,
             std::unique_ptr<NodeComputation> computation, FaultInjection* faults);
  absl::Status ComputeNode(QueuedNode queued, ServerStream& stream,
                           const std::function<void()>& look);
  // False: a later version has begun to come instead. FailedPrecondition: neither.
  absl::StatusOr<bool> AdoptParameters(const v1::Round& round, ServerStream& stream);
  // Says of a node that others have finished, or will, that it was not computed.
  void Skip(const QueuedNode& queued, ServerStream& stream) const;
  v1::WorkerMessage ResultOf(const QueuedNode& queued) const;
  absl::StatusOr<NodeLosses> Train(ServerStream& stream, const std::function<void()>& look);
  void SendKept(NodeAnswer& answer, ServerStream& stream) const;
  void SendChunk(const QueuedNode& queued, int chunk, const Tensor& values,
                 ServerStream& stream) const;
  // One chunk of a node's gradient, as `header` names it.
  void SendGradient(v1::GradientChunk& header, v1::WorkerMessage& message, const Tensor& values,
                    ServerStream& stream) const;

  const std::string job_id_;
  const v1::PrepareJob request_;
  FaultInjection* const faults_;
  const int shards_;
  const bool bfloat16_;  // as JobSpec.gradient_format
  const std::shared_ptr<const JobData> data_;
  const std::unique_ptr<NodeComputation> computation_;
  std::shared_ptr<ParameterReplica> replica_;
  // Of the nodes' gradients, where the server shares memory.
  std::unique_ptr<SharedBlocks> gradient_blocks_;

  NodeQueue queue_;
  std::deque<NodeAnswer> held_;  // whole, but must not be sent yet
  std::optional<NodeAnswer> computing_;
  std::optional<uint64_t> adopted_round_;  // whose parameters the computation has
  std::shared_ptr<const v1::Round> last_round_;
  std::vector<ShardNode> last_nodes_;  // that it has asked for, for the next step
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_JOB_SESSION_H_
