// A worker that computes nothing: it answers each node with a gradient that it
// has ready, over the protocol and the transports of a real one. What a step
// then takes is what moving and summing gradients and parameters takes.
//
//   gradient_source --server HOST:PORT [--shared-memory auto|off]
//
// A node of n shards is answered with n times kOfShard in every element: what the
// tree would make of its shards, so that the model does not depend on who was given
// which nodes. When the job is released, a line of standard output says how many
// bytes of gradients were sent for it.
//
// Deliberately a bad worker: data are not read, losses are zero, and the model
// that comes out is of no use.
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "engine/lock_order_checks.h"
#include "engine/model/build_model.h"
#include "engine/model/job_plan.h"
#include "engine/shard_tree.h"
#include "engine/storage.h"
#include "engine/tensor.h"
#include "proto/codec/transport_arguments.h"
#include "proto/shared_memory/shared_blocks.h"
#include "worker/inbox.h"
#include "worker/node_queue.h"
#include "worker/parameter_replica.h"
#include "worker/server_stream.h"

namespace lockstep::worker {
namespace {

// A power of two: sums of fewer than 2^24 of them are exact.
constexpr float kOfShard = 1.0f / (1 << 20);

class GradientSource {
 public:
  explicit GradientSource(const std::string& server)
      : stream_(
            Connect(server),
            [this](v1::ServerMessage message, const FramePayload& payload) {
              if (!message.has_parameter_chunk()) {
                inbox_.Put(std::move(message));
                return absl::OkStatus();
              }
              const v1::ParameterChunk& chunk = message.parameter_chunk();
              return replica_->Receive(chunk.version(), chunk.chunk(), payload.size_bytes(),
                                       [&](float* out) { payload.CopyTo(out); });
            },
            [this](std::shared_ptr<WorkerSharedMessages> shared) {
              inbox_.ContinueFrom({[this, shared] { return NextShared(*shared); },
                                   [] { return std::nullopt; }, [shared] { shared->Interrupt(); }});
            },
            [this] { inbox_.Close(); }) {}

  absl::Status Run(const std::string& name, bool with_shared_memory) {
    v1::WorkerMessage hello;
    hello.mutable_register_()->set_protocol_version(4);
    hello.mutable_register_()->set_name(name);
    hello.mutable_register_()->set_threads(1);
    stream_.Register(hello, with_shared_memory);
    std::thread heart([this] {
      while (!stopped_.WaitForNotificationWithTimeout(absl::Seconds(1))) stream_.SendHeartbeat();
    });
    while (const auto message = inbox_.Take()) {
      if (message->has_prepare_job()) Prepare(message->prepare_job());
      if (message->has_round()) TakeRound(message->round());
      if (message->has_send_nodes()) TakeSendNodes(message->send_nodes());
      if (message->has_release_job()) ReportSent();
      // Nothing is computed ahead: what is to be held stays in the queue.
      while (queue_.HasNext(NodeQueue::kMostHeld)) Answer(queue_.Take(NodeQueue::kMostHeld));
    }
    stopped_.Notify();
    heart.join();
    return stream_.AwaitEnd();
  }

 private:
  static std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(64 << 20);
    ForEachTransportArgument(
        [&arguments](const char* name, int value) { arguments.SetInt(name, value); });
    return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
  }

  std::optional<v1::ServerMessage> NextShared(WorkerSharedMessages& shared) {
    while (!shared.interrupted()) {
      auto received = shared.Next();
      if (received.ok() && !received->has_value()) {
        shared.Wait(absl::Seconds(1));
        continue;
      }
      if (received.ok() && !(*received)->message.has_parameter_chunk()) {
        return std::move((*received)->message);
      }
      absl::Status status = received.status();
      if (status.ok()) {
        const v1::ParameterChunk& chunk = (*received)->message.parameter_chunk();
        status = replica_->ReceiveShared(chunk.version(), chunk.chunk(), (*received)->values,
                                         (*received)->begin);
      }
      if (!status.ok()) {
        stream_.Fail(status);
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  void Prepare(const v1::PrepareJob& request) {
    const v1::JobSpec& spec = request.spec();
    const auto& extents = spec.data_summary().example_shape();
    const auto plan =
        PlanModel(spec, Shape(std::vector<int64_t>(extents.begin(), extents.end())), {});
    if (!plan.ok()) {
      stream_.Fail(plan.status());
      return;
    }
    plan_ = std::make_unique<JobPlan>(JobPlan::For(spec));
    elements_ = plan->layout.total_elements();
    replica_ = std::make_unique<ParameterReplica>(elements_, request.chunk_elements());
    gradients_.clear();
    sent_bytes_ = 0;
    queue_.Clear();
    v1::WorkerMessage ready;
    ready.mutable_job_ready()->set_job_id(request.job_id());
    ready.mutable_job_ready()->set_training_examples(spec.data_summary().training_examples());
    ready.mutable_job_ready()->set_validation_examples(spec.data_summary().validation_examples());
    stream_.Send(ready);
  }

  void TakeRound(const v1::Round& round) {
    if (const auto parameters = replica_->Adopt(round.step()); !parameters.ok()) {
      stream_.Fail(parameters.status());
      return;
    }
    stream_.ReleaseShared(replica_->released());
    auto header = std::make_shared<v1::Round>(round);
    header->clear_nodes();
    for (const v1::ShardRange& range : round.nodes()) {
      queue_.Add({header, NodeOf(range), range.hold()});
    }
  }

  void TakeSendNodes(const v1::SendNodes& nodes) {
    for (const v1::ShardRange& range : nodes.nodes()) {
      queue_.MaySend(nodes.round(), NodeOf(range));
    }
  }

  static ShardNode NodeOf(const v1::ShardRange& range) {
    return {static_cast<int>(range.first_shard()), static_cast<int>(range.end_shard())};
  }

  // All nodes of one size have the same.
  const Tensor& GradientOf(const ShardNode& node) {
    Tensor& gradient = gradients_[node.size()];
    if (!gradient.defined()) {
      gradient =
          stream_.sends_shared() ? SharedBlocks(elements_).Take() : Tensor::Empty(Shape{elements_});
      std::fill_n(gradient.data<float>(), elements_, static_cast<float>(node.size()) * kOfShard);
    }
    return gradient;
  }

  void Answer(const QueuedNode& queued) {
    const v1::Round& round = *queued.round;
    const Tensor& gradient = GradientOf(queued.node);
    v1::WorkerMessage message;
    v1::GradientChunk& chunk = *message.mutable_gradient_chunk();
    chunk.set_job_id(round.job_id());
    chunk.set_step(round.step());
    chunk.set_round(round.round());
    chunk.set_first_shard(queued.node.first);
    chunk.set_end_shard(queued.node.end);
    for (int i = 0; i < replica_->chunk_count(); ++i) {
      chunk.set_chunk(i);
      stream_.Send(message, gradient.Rows(replica_->ChunkBegin(i), replica_->ChunkEnd(i)));
    }
    sent_bytes_ += elements_ * static_cast<int64_t>(sizeof(float));
    const auto examples = static_cast<int64_t>(plan_->Place(round.step()).examples);
    v1::WorkerMessage last;
    v1::NodeResult& result = *last.mutable_node_result();
    result.set_job_id(round.job_id());
    result.set_round(round.round());
    result.set_first_shard(queued.node.first);
    result.set_end_shard(queued.node.end);
    result.set_examples(ShardBegin(queued.node.end, plan_->shards, examples) -
                        ShardBegin(queued.node.first, plan_->shards, examples));
    stream_.Send(last);
  }

  void ReportSent() const {
    std::printf("%lld bytes of gradients sent\n", static_cast<long long>(sent_bytes_));
    std::fflush(stdout);
  }

  Inbox inbox_;
  absl::Notification stopped_;
  std::unique_ptr<JobPlan> plan_;
  int64_t elements_ = 0;
  std::unique_ptr<ParameterReplica> replica_;
  std::map<int, Tensor> gradients_;  // by the number of shards in the node
  int64_t sent_bytes_ = 0;           // of the job
  NodeQueue queue_;
  ServerStream stream_;  // last: its threads use the others
};

int Main(int argc, char** argv) {
  std::string server, name = "source", shared_memory = "auto", ignored;
  CLI::App app{"A worker of Lockstep that computes nothing, to measure all else."};
  app.add_option("--server", server)->required();
  app.add_option("--name", name);
  app.add_option("--threads", ignored, "as lockstep-worker's; it uses one");
  app.add_option("--shared-memory", shared_memory)->check(CLI::IsMember({"auto", "off"}));
  CLI11_PARSE(app, argc, argv);
  SkipLockOrderChecks();
  KeepFreedMemory();
  GradientSource source(server);
  const absl::Status status = source.Run(name, shared_memory == "auto");
  std::fprintf(stderr, "gradient_source: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) { return lockstep::worker::Main(argc, argv); }
