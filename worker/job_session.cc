#include "worker/job_session.h"

#include <algorithm>
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
  queue_.Clear();
  held_.clear();
  adopted_round_.reset();
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

absl::Status JobSession::TakeParameters(const v1::ParameterChunk& chunk, const Tensor& values,
                                        uint64_t position) {
  if (values.defined() && values.storage()->foreign()) {
    return replica_->ReceiveShared(chunk.version(), chunk.chunk(), values, position);
  }
  const size_t size_bytes = values.defined() ? values.element_count() * sizeof(float) : 0;
  return replica_->Receive(chunk.version(), chunk.chunk(), size_bytes,
                           [&](float* out) { std::memcpy(out, values.data<float>(), size_bytes); });
}

// ---- what there is to do

absl::Status JobSession::TakeRound(const v1::Round& round) {
  if (round.kind() != v1::TRAIN && round.kind() != v1::EVALUATE) {
    return absl::InvalidArgumentError("round.kind: got none, want TRAIN or EVALUATE");
  }
  if (round.kind() == v1::TRAIN && round.step() >= computation_->plan().total_steps) {
    return absl::InvalidArgumentError(absl::StrCat(
        "round.step: got ", round.step(), ", want less than ", computation_->plan().total_steps));
  }
  auto header = std::make_shared<v1::Round>(round);
  header->clear_nodes();
  if (last_round_ == nullptr || last_round_->round() != round.round()) last_nodes_.clear();
  last_round_ = header;
  for (const v1::ShardRange& range : round.nodes()) {
    const ShardNode node{static_cast<int>(range.first_shard()),
                         static_cast<int>(range.end_shard())};
    if (!IsShardTreeNode(shards_, node)) {
      return absl::InvalidArgumentError(absl::StrCat("round.nodes: got shards [", node.first, ", ",
                                                     node.end, "), want a node of the tree over ",
                                                     shards_));
    }
    last_nodes_.push_back(node);
    queue_.Add({header, node, range.hold() && round.kind() == v1::TRAIN});
  }
  return absl::OkStatus();
}

void JobSession::TakeSendNodes(const v1::SendNodes& nodes, ServerStream& stream) {
  for (const v1::ShardRange& range : nodes.nodes()) {
    const ShardNode node{static_cast<int>(range.first_shard()),
                         static_cast<int>(range.end_shard())};
    const auto is_named = [&](const NodeAnswer& answer) {
      return answer.of.round->round() == nodes.round() && answer.of.node == node;
    };
    queue_.MaySend(nodes.round(), node);
    if (computing_.has_value() && is_named(*computing_)) SendKept(*computing_, stream);
    for (NodeAnswer& answer : held_) {
      if (is_named(answer)) SendKept(answer, stream);
    }
    held_.erase(std::remove_if(held_.begin(), held_.end(), is_named), held_.end());
  }
}

absl::Status JobSession::ComputeNext(ServerStream& stream, const std::function<void()>& look) {
  const absl::Status status = ComputeNode(queue_.Take(held_.size()), stream, look);
  if (!status.ok()) {
    computing_.reset();
    queue_.Clear();
    return status;
  }
  // While the server sums up: the same shards are likely to come next.
  if (queue_.empty() && last_round_->kind() == v1::TRAIN) {
    for (const ShardNode& node : last_nodes_) computation_->Prefetch(last_round_->step() + 1, node);
  }
  return absl::OkStatus();
}

// ---- one node

absl::StatusOr<bool> JobSession::AdoptParameters(const v1::Round& round, ServerStream& stream) {
  if (adopted_round_ == round.round()) return true;
  const uint64_t version = round.has_version() ? round.version() : round.step();
  const auto parameters = replica_->Adopt(version);
  if (!parameters.ok() && replica_->IsPast(version)) return false;
  if (!parameters.ok()) return parameters.status();
  adopted_round_ = round.round();
  computation_->SetParameters(*parameters);
  stream.ReleaseShared(replica_->released());
  if (gradient_blocks_ == nullptr && stream.sends_shared()) {
    gradient_blocks_ = std::make_unique<SharedBlocks>(computation_->layout().total_elements());
    computation_->SetGradientMemory([this] { return gradient_blocks_->Take(); });
  }
  return true;
}

v1::WorkerMessage JobSession::ResultOf(const QueuedNode& queued) const {
  v1::WorkerMessage message;
  v1::NodeResult& result = *message.mutable_node_result();
  result.set_job_id(job_id_);
  result.set_round(queued.round->round());
  result.set_first_shard(queued.node.first);
  result.set_end_shard(queued.node.end);
  return message;
}

void JobSession::Skip(const QueuedNode& queued, ServerStream& stream) const {
  v1::WorkerMessage message = ResultOf(queued);
  message.mutable_node_result()->set_skipped(true);
  stream.Send(message);
}

absl::Status JobSession::ComputeNode(QueuedNode queued, ServerStream& stream,
                                     const std::function<void()>& look) {
  const v1::Round& round = *queued.round;
  const auto adopted = AdoptParameters(round, stream);
  if (!adopted.ok()) return adopted.status();
  if (!*adopted) {
    Skip(queued, stream);
    return absl::OkStatus();
  }
  computing_ = NodeAnswer{queued, {}, std::nullopt};
  const bool training = round.kind() == v1::TRAIN;
  const auto losses = training ? Train(stream, look) : computation_->Evaluate(queued.node);
  if (!losses.ok()) return losses.status();
  v1::WorkerMessage message = ResultOf(queued);
  v1::NodeResult& result = *message.mutable_node_result();
  result.set_loss_sum(losses->loss_sum);
  result.set_correct(losses->correct);
  result.set_predictions(losses->predictions);
  result.set_examples(losses->examples);
  if (training && !std::isfinite(losses->loss_sum)) {
    result.set_anomaly(
        computation_->FindAnomaly(round.step(), queued.node, round.learning_rate_factor()));
  }
  if (computing_->of.hold) {
    computing_->result = std::move(message);
    held_.push_back(*std::move(computing_));
  } else {
    stream.Send(message);
  }
  computing_.reset();
  return absl::OkStatus();
}

absl::StatusOr<NodeLosses> JobSession::Train(ServerStream& stream,
                                             const std::function<void()>& look) {
  const QueuedNode queued = computing_->of;
  const int64_t chunk_elements = request_.chunk_elements();
  faults_->BeginNode(queued.node.size(), static_cast<int>((computation_->layout().total_elements() +
                                                           chunk_elements - 1) /
                                                          chunk_elements));
  return computation_->Train(
      queued.round->step(), queued.node,
      [&](int chunk, const Tensor& values) {
        if (computing_->of.hold || !held_.empty()) look();
        const Tensor sent = faults_->Spoils(chunk) ? faults_->Spoiled(values) : values;
        if (computing_->of.hold) {
          computing_->chunks.emplace_back(chunk, sent);
        } else {
          SendChunk(queued, chunk, sent, stream);
        }
      },
      queued.round->learning_rate_factor());
}

// ---- what is sent

void JobSession::SendKept(NodeAnswer& answer, ServerStream& stream) const {
  answer.of.hold = false;
  for (const auto& [chunk, values] : answer.chunks) SendChunk(answer.of, chunk, values, stream);
  answer.chunks.clear();
  if (answer.result.has_value()) stream.Send(*answer.result);
}

void JobSession::SendChunk(const QueuedNode& queued, int chunk, const Tensor& values,
                           ServerStream& stream) const {
  v1::WorkerMessage message;
  v1::GradientChunk& header = *message.mutable_gradient_chunk();
  header.set_job_id(job_id_);
  header.set_step(queued.round->step());
  header.set_round(queued.round->round());
  header.set_first_shard(queued.node.first);
  header.set_end_shard(queued.node.end);
  header.set_chunk(chunk);
  SendGradient(header, message, values, stream);
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
