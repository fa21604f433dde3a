// A worker without network, data or model: it answers rounds with gradients
// made by a formula, as slowly and in as broken a way as a test wants.
#ifndef LOCKSTEP_SERVER_TESTING_FAKE_WORKER_H_
#define LOCKSTEP_SERVER_TESTING_FAKE_WORKER_H_

#include <cstring>
#include <deque>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/job_plan.h"
#include "engine/shard_tree.h"
#include "engine/tensor.h"
#include "lockstep/v1/worker_service.pb.h"
#include "server/parameter_store.h"
#include "server/worker_link.h"

namespace lockstep::server {

// Queues what the server sends, and what it would answer, for a test to
// deliver. Threads: one.
class FakeWorker : public WorkerLink {
 public:
  struct Answer {
    v1::WorkerMessage message;
    Tensor values;
  };

  FakeWorker(const v1::JobSpec& spec, int64_t total_elements)
      : spec_(spec), plan_(JobPlan::For(spec)), parameters_(total_elements, 0.0f) {}

  void Send(const v1::ServerMessage& message) override { inbox_.push_back({message, Tensor()}); }
  void Send(const v1::ServerMessage& message, const Tensor& values) override {
    inbox_.push_back({message, values});
  }
  void Close(const absl::Status& status) override { closed_ = status; }
  // Values that Work has not taken in yet, and what a test adds.
  size_t unsent_bytes() const override {
    size_t bytes = pretended_unsent_bytes_;
    for (const auto& [message, values] : inbox_) {
      if (values.defined()) bytes += values.element_count() * sizeof(float);
    }
    return bytes;
  }

  void LetNextWait() override { ++messages_that_may_wait_; }
  int messages_that_may_wait() const { return messages_that_may_wait_; }

  void PretendUnsent(size_t bytes) { pretended_unsent_bytes_ = bytes; }

  bool has_work() const { return !inbox_.empty(); }
  bool has_answer() const { return !answers_.empty(); }
  const absl::Status& closed() const { return closed_; }

  Answer TakeAnswer() {
    Answer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  // Takes in one message, computing what it asks for.
  void Work() {
    const auto [message, values] = std::move(inbox_.front());
    inbox_.pop_front();
    if (message.has_prepare_job()) {
      version_ = -1;
      held_.clear();
      incoming_.clear();
      incoming_version_ = 0;
      received_ = 0;
      v1::JobReady& ready = *answers_.emplace_back().message.mutable_job_ready();
      ready.set_job_id(message.prepare_job().job_id());
      ready.set_training_examples(plan_.training_examples);
      ready.set_validation_examples(plan_.validation_examples);
    } else if (message.has_parameter_chunk()) {
      Receive(message.parameter_chunk(), values);
    } else if (message.has_round()) {
      Compute(message.round());
    } else if (message.has_send_nodes()) {
      Send(message.send_nodes());
    }
  }

  // The formula: what shard `shard` gives for a parameter of this value.
  static float ShardGradient(float parameter, uint64_t step, int shard, int64_t element) {
    const float wave = static_cast<float>((step * 31 + shard * 7 + element * 13) % 101) / 101.0f;
    return parameter * 0.37f + wave - 0.5f;
  }

 private:
  void Receive(const v1::ParameterChunk& chunk, const Tensor& values) {
    if (incoming_.empty() || incoming_version_ != chunk.version()) {
      incoming_.assign(parameters_.size(), 0.0f);
      incoming_version_ = chunk.version();
      received_ = 0;
    }
    std::memcpy(incoming_.data() + chunk.chunk() * kChunkElements, values.data<float>(),
                values.element_count() * sizeof(float));
    received_ += values.element_count();
  }

  std::vector<float> NodeGradient(uint64_t step, const ShardNode& node) const {
    if (node.size() > 1) {
      const int middle = ShardTreeMiddle(node);
      std::vector<float> sum = NodeGradient(step, {node.first, middle});
      const std::vector<float> right = NodeGradient(step, {middle, node.end});
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += right[i];
      return sum;
    }
    std::vector<float> gradient(parameters_.size());
    for (size_t i = 0; i < gradient.size(); ++i) {
      gradient[i] = ShardGradient(parameters_[i], step, node.first, static_cast<int64_t>(i));
    }
    return gradient;
  }

  void Skip(const v1::Round& round) {
    for (const v1::ShardRange& range : round.nodes()) {
      v1::NodeResult& result = *answers_.emplace_back().message.mutable_node_result();
      result.set_job_id(round.job_id());
      result.set_round(round.round());
      result.set_first_shard(range.first_shard());
      result.set_end_shard(range.end_shard());
      result.set_skipped(true);
    }
  }

  void Compute(const v1::Round& round) {
    const uint64_t version = round.has_version() ? round.version() : round.step();
    const auto wanted = static_cast<int64_t>(version);
    const bool arrived =
        incoming_version_ == version && received_ == static_cast<int64_t>(parameters_.size());
    if (version_ != wanted && !arrived && (incoming_version_ > version || version_ > wanted)) {
      return Skip(round);
    }
    if (version_ != wanted) {
      // A server that opens a round before it has sent its parameters shows as
      // a wrong hash, or here.
      if (received_ != static_cast<int64_t>(parameters_.size()) || incoming_version_ != version) {
        closed_ = absl::InternalError("round without its parameters");
        return;
      }
      parameters_ = std::move(incoming_);
      incoming_.clear();
      version_ = static_cast<int64_t>(version);
    }
    for (const v1::ShardRange& range : round.nodes()) {
      if (range.hold()) {
        held_.push_back({round, range});
        held_.back().first.clear_nodes();
      } else {
        ComputeNode(round, range);
      }
    }
  }

  // Held nodes are computed when they may be sent: a worker need not begin them
  // before, so that a server that waits for that would show.
  void Send(const v1::SendNodes& nodes) {
    for (const v1::ShardRange& range : nodes.nodes()) {
      for (auto held = held_.begin(); held != held_.end();) {
        const bool named = held->first.round() == nodes.round() &&
                           held->second.first_shard() == range.first_shard() &&
                           held->second.end_shard() == range.end_shard();
        if (named) ComputeNode(held->first, held->second);
        held = named ? held_.erase(held) : std::next(held);
      }
    }
  }

  void ComputeNode(const v1::Round& round, const v1::ShardRange& range) {
    const ShardNode node{static_cast<int>(range.first_shard()),
                         static_cast<int>(range.end_shard())};
    const bool training = round.kind() == v1::TRAIN;
    const int64_t all = training ? plan_.Place(round.step()).examples : plan_.validation_examples;
    if (training) {
      const std::vector<float> gradient = NodeGradient(round.step(), node);
      const int64_t total = static_cast<int64_t>(gradient.size());
      for (int64_t begin = 0; begin < total; begin += kChunkElements) {
        const int64_t size = std::min<int64_t>(kChunkElements, total - begin);
        Answer& answer = answers_.emplace_back();
        v1::GradientChunk& chunk = *answer.message.mutable_gradient_chunk();
        chunk.set_job_id(round.job_id());
        chunk.set_step(round.step());
        chunk.set_round(round.round());
        chunk.set_first_shard(node.first);
        chunk.set_end_shard(node.end);
        chunk.set_chunk(static_cast<uint32_t>(begin / kChunkElements));
        answer.values = Tensor::Empty(Shape{size});
        std::memcpy(answer.values.data<float>(), gradient.data() + begin, size * sizeof(float));
      }
    }
    v1::NodeResult& result = *answers_.emplace_back().message.mutable_node_result();
    result.set_job_id(round.job_id());
    result.set_round(round.round());
    result.set_first_shard(node.first);
    result.set_end_shard(node.end);
    result.set_examples(ShardBegin(node.end, plan_.shards, all) -
                        ShardBegin(node.first, plan_.shards, all));
    result.set_loss_sum(LossSum(round.step(), node));
  }

  double LossSum(uint64_t step, const ShardNode& node) const {
    if (node.size() == 1) return 1.0 / static_cast<double>(3 + step + node.first * 5);
    const int middle = ShardTreeMiddle(node);
    return LossSum(step, {node.first, middle}) + LossSum(step, {middle, node.end});
  }

  const v1::JobSpec spec_;
  const JobPlan plan_;
  std::deque<std::pair<v1::ServerMessage, Tensor>> inbox_;
  std::deque<Answer> answers_;
  std::vector<std::pair<v1::Round, v1::ShardRange>> held_;
  absl::Status closed_;
  std::vector<float> parameters_;
  int64_t version_ = -1;
  std::vector<float> incoming_;
  uint64_t incoming_version_ = 0;
  int64_t received_ = 0;
  size_t pretended_unsent_bytes_ = 0;
  int messages_that_may_wait_ = 0;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_TESTING_FAKE_WORKER_H_
