// One job on one worker: its data, its model, its parameters, and the rounds
// that it is sent.
#ifndef LOCKSTEP_WORKER_JOB_SESSION_H_
#define LOCKSTEP_WORKER_JOB_SESSION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/layer_registry.h"
#include "lockstep/v1/worker_service.pb.h"
#include "worker/fault_injection.h"
#include "worker/node_computation.h"
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

  // Computes the round's nodes, sending each one's gradient and result.
  // `cancelled`: asked between nodes. Errors: InvalidArgument: a round that no
  // honest server sends, or examples that the model cannot take.
  absl::Status Compute(const v1::Round& round, ServerStream& stream,
                       const std::function<bool()>& cancelled);

 private:
  JobSession(const v1::PrepareJob& request, std::shared_ptr<const JobData> data,
             std::unique_ptr<NodeComputation> computation, FaultInjection* faults);
  // Says of a round that others have finished, or will, that it was not computed.
  void SkipRound(const v1::Round& round, ServerStream& stream) const;
  absl::StatusOr<NodeLosses> ComputeNode(const v1::Round& round, const ShardNode& node,
                                         ServerStream& stream);
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
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_JOB_SESSION_H_
