#include "worker/job_session.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/kernels/bfloat16.h"
#include "google/protobuf/util/message_differencer.h"

namespace lockstep::worker {

absl::StatusOr<std::shared_ptr<JobSession>> JobSession::Prepare(const v1::PrepareJob& request,
                                                                const LayerRegistry& layers,
                                                                FaultInjection* faults) {
  if (request.chunk_elements() == 0) {
    return absl::InvalidArgumentError("prepare_job.chunk_elements: got 0, want at least 1");
  }
  const v1::JobSpec& spec = request.spec();
  auto data = JobData::Load(spec);
  if (!data.ok()) return data.status();
  const v1::DataSummary summary = (*data)->Summary();
  if (!google::protobuf::util::MessageDifferencer::Equals(summary, spec.data_summary())) {
    return absl::FailedPreconditionError(absl::StrCat("data: got {", summary.ShortDebugString(),
                                                      "}, want {",
                                                      spec.data_summary().ShortDebugString(), "}"));
  }
  auto computation = NodeComputation::Create(spec, *data, request.chunk_elements(), layers);
  if (!computation.ok()) return computation.status();
  return std::shared_ptr<JobSession>(
      new JobSession(request, *std::move(data), *std::move(computation), faults));
}

bool JobSession::Serves(const v1::PrepareJob& request) const {
  // Data files are opened once a job: the specification holds their digests.
  return google::protobuf::util::MessageDifferencer::Equals(request, request_);
}

void JobSession::Renew() {
  replica_ = std::make_shared<ParameterReplica>(computation_->layout().total_elements(),
                                                request_.chunk_elements());
  // They belong to the connection before.
  gradient_blocks_.reset();
  computation_->SetGradientMemory({});
}

JobSession::JobSession(const v1::PrepareJob& request, std::shared_ptr<const JobData> data,
                       std::unique_ptr<NodeComputation> computation, FaultInjection* faults)
    : job_id_(request.job_id()),
      request_(request),
      faults_(faults),
      shards_(static_cast<int>(request.spec().shards())),
      bfloat16_(request.spec().gradient_format() == v1::GRADIENT_FORMAT_BFLOAT16),
      data_(std::move(data)),
      computation_(std::move(computation)),
      replica_(std::make_shared<ParameterReplica>(computation_->layout().total_elements(),
                                                  request.chunk_elements())) {}

v1::WorkerMessage JobSession::ReadyMessage() const {
  v1::WorkerMessage message;
  message.mutable_job_ready()->set_job_id(job_id_);
  message.mutable_job_ready()->set_training_examples(data_->training_examples());
  message.mutable_job_ready()->set_validation_examples(data_->validation_examples());
  return message;
}

void JobSession::SkipRound(const v1::Round& round, ServerStream& stream) const {
  for (const v1::ShardRange& node : round.nodes()) {
    v1::WorkerMessage message;
    v1::NodeResult& result = *message.mutable_node_result();
    result.set_job_id(job_id_);
    result.set_round(round.round());
    result.set_first_shard(node.first_shard());
    result.set_end_shard(node.end_shard());
    result.set_skipped(true);
    stream.Send(message);
  }
}

absl::Status JobSession::TakeParameters(const v1::ParameterChunk& chunk, const Tensor& values,
                                        uint64_t position) {
  if (values.defined() && values.storage()->foreign()) {
    return replica_->ReceiveShared(chunk.version(), chunk.chunk(), values, position);
  }
  const size_t size_bytes = values.defined() ? values.element_count() * sizeof(float) : 0;
  return replica_->Receive(chunk.version(), chunk.chunk(), size_bytes,
                           [&](float* out) { std::memcpy(out, values.data<float>(), size_bytes); });
}

absl::Status JobSession::Compute(const v1::Round& round, ServerStream& stream,
                                 const std::function<bool()>& cancelled) {
  if (round.kind() == v1::TRAIN && round.step() >= computation_->plan().total_steps) {
    return absl::InvalidArgumentError(absl::StrCat(
        "round.step: got ", round.step(), ", want less than ", computation_->plan().total_steps));
  }
  const uint64_t version = round.has_version() ? round.version() : round.step();
  const auto parameters = replica_->Adopt(version);
  if (!parameters.ok() && replica_->IsPast(version)) {
    SkipRound(round, stream);
    return absl::OkStatus();
  }
  if (!parameters.ok()) return parameters.status();
  computation_->SetParameters(*parameters);
  stream.ReleaseShared(replica_->released());
  if (gradient_blocks_ == nullptr && stream.sends_shared()) {
    gradient_blocks_ = std::make_unique<SharedBlocks>(computation_->layout().total_elements());
    computation_->SetGradientMemory([this] { return gradient_blocks_->Take(); });
  }
  std::vector<ShardNode> nodes;
  for (const v1::ShardRange& range : round.nodes()) {
    const ShardNode node{static_cast<int>(range.first_shard()),
                         static_cast<int>(range.end_shard())};
    if (!IsShardTreeNode(shards_, node)) {
      return absl::InvalidArgumentError(absl::StrCat("round.nodes: got shards [", node.first, ", ",
                                                     node.end, "), want a node of the tree over ",
                                                     shards_));
    }
    nodes.push_back(node);
  }
  for (const ShardNode& node : nodes) {
    if (cancelled()) return absl::OkStatus();
    const auto losses = ComputeNode(round, node, stream);
    if (!losses.ok()) return losses.status();
    v1::WorkerMessage message;
    v1::NodeResult& result = *message.mutable_node_result();
    result.set_job_id(job_id_);
    result.set_round(round.round());
    result.set_first_shard(node.first);
    result.set_end_shard(node.end);
    result.set_loss_sum(losses->loss_sum);
    result.set_correct(losses->correct);
    result.set_predictions(losses->predictions);
    result.set_examples(losses->examples);
    if (round.kind() == v1::TRAIN && !std::isfinite(losses->loss_sum)) {
      result.set_anomaly(
          computation_->FindAnomaly(round.step(), node, round.learning_rate_factor()));
    }
    stream.Send(message);
  }
  // While the server sums up: the same shards are likely to come next.
  if (round.kind() == v1::TRAIN) {
    for (const ShardNode& node : nodes) computation_->Prefetch(round.step() + 1, node);
  }
  return absl::OkStatus();
}

absl::StatusOr<NodeLosses> JobSession::ComputeNode(const v1::Round& round, const ShardNode& node,
                                                   ServerStream& stream) {
  if (round.kind() == v1::EVALUATE) return computation_->Evaluate(node);
  if (round.kind() != v1::TRAIN) {
    return absl::InvalidArgumentError("round.kind: got none, want TRAIN or EVALUATE");
  }
  v1::WorkerMessage message;
  v1::GradientChunk& header = *message.mutable_gradient_chunk();
  header.set_job_id(job_id_);
  header.set_step(round.step());
  header.set_round(round.round());
  header.set_first_shard(node.first);
  header.set_end_shard(node.end);
  const int64_t chunk_elements = request_.chunk_elements();
  faults_->BeginNode(
      node.size(), static_cast<int>((computation_->layout().total_elements() + chunk_elements - 1) /
                                    chunk_elements));
  return computation_->Train(
      round.step(), node,
      [&](int chunk, const Tensor& values) {
        header.set_chunk(chunk);
        SendGradient(header, message, faults_->Spoils(chunk) ? faults_->Spoiled(values) : values,
                     stream);
      },
      round.learning_rate_factor());
}

void JobSession::SendGradient(v1::GradientChunk& header, v1::WorkerMessage& message,
                              const Tensor& values, ServerStream& stream) const {
  header.set_elements(static_cast<uint32_t>(values.element_count()));
  header.set_encoding(v1::GRADIENT_ENCODING_FLOAT32);
  if (kernels::AreAllZero(values.span<float>())) {
    header.set_encoding(v1::GRADIENT_ENCODING_ZERO);
    stream.Send(message);
  } else if (bfloat16_ && !stream.sends_shared()) {
    header.set_encoding(v1::GRADIENT_ENCODING_BFLOAT16);
    const int64_t halves = (values.element_count() + 1) / 2;
    Tensor packed = Tensor::Empty(Shape{halves});
    kernels::PackBfloat16(values.span<float>(), packed.data<float>());
    stream.SendEncoded(message, packed, values.element_count() * sizeof(uint16_t));
  } else {
    stream.Send(message, values);
  }
}

}  // namespace lockstep::worker
