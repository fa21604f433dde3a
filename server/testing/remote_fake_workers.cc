#include "server/testing/remote_fake_workers.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/model/build_model.h"
#include "lockstep/v1/worker_service.grpc.pb.h"
#include "proto/codec/transport_arguments.h"
#include "server/testing/fake_worker.h"

namespace lockstep::server {
namespace {

std::shared_ptr<grpc::Channel> ConnectionOfItsOwn(const std::string& address) {
  grpc::ChannelArguments arguments;
  // Channels to one address share a connection otherwise.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  ForEachTransportArgument(
      [&arguments](const char* name, int value) { arguments.SetInt(name, value); });
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

Tensor PayloadOf(v1::ServerMessage& message) {
  const std::string payload = std::move(*message.mutable_payload());
  message.clear_payload();
  Tensor values = Tensor::Empty(Shape{static_cast<int64_t>(payload.size() / sizeof(float))});
  std::memcpy(values.data<float>(), payload.data(), payload.size());
  return values;
}

}  // namespace

// One of them. gRPC calls the reads one after another: fake_ is theirs.
class RemoteFakeWorker : public grpc::ClientBidiReactor<v1::WorkerMessage, v1::ServerMessage> {
 public:
  RemoteFakeWorker(const std::string& address, int number)
      : stub_(v1::WorkerService::NewStub(ConnectionOfItsOwn(address))) {
    stub_->async()->Connect(&context_, this);
    v1::WorkerMessage hello;
    hello.mutable_register_()->set_protocol_version(4);
    hello.mutable_register_()->set_name(absl::StrCat("fake-", number));
    hello.mutable_register_()->set_threads(1);
    StartRead(&incoming_);
    // Held until Break: heartbeats are written outside of gRPC's own calls.
    AddHold();
    StartCall();
    Send({std::move(hello)});
  }

  ~RemoteFakeWorker() override {
    Break();
    AwaitEnd();
  }

  void Break() {
    context_.TryCancel();
    LetGo();
  }
  void AwaitWelcome() {
    absl::MutexLock lock(&mutex_);
    const auto settled = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return welcomed_ || no_more_;
    };
    mutex_.Await(absl::Condition(&settled));
  }
  void AwaitEnd() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&done_));
  }
  void Beat() {
    v1::WorkerMessage message;
    message.mutable_heartbeat();
    Send({std::move(message)});
  }

  bool connected() const {
    absl::MutexLock lock(&mutex_);
    return welcomed_ && !no_more_;
  }
  bool has_worked() const {
    absl::MutexLock lock(&mutex_);
    return has_worked_;
  }
  std::string trouble() const {
    absl::MutexLock lock(&mutex_);
    return trouble_;
  }

  void OnReadDone(bool ok) override {
    if (!ok) return LetGo();
    Take();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    outgoing_.pop_front();
    if (!ok || no_more_) {
      outgoing_.clear();
    } else if (!outgoing_.empty()) {
      WriteFront();
    }
  }

  void OnDone(const grpc::Status& status) override {
    absl::MutexLock lock(&mutex_);
    trouble_ = absl::StrCat("ended with code ", status.error_code(), ": ", status.error_message());
    no_more_ = done_ = true;
  }

 private:
  void Take() {
    if (incoming_.has_welcome()) {
      absl::MutexLock lock(&mutex_);
      welcomed_ = true;
    } else if (incoming_.has_prepare_job()) {
      const v1::JobSpec& spec = incoming_.prepare_job().spec();
      const auto& extents = spec.data_summary().example_shape();
      const auto plan =
          PlanModel(spec, Shape(std::vector<int64_t>(extents.begin(), extents.end())), {});
      if (!plan.ok()) return Break();
      fake_ = std::make_unique<FakeWorker>(spec, plan->layout.total_elements());
    }
    if (fake_ == nullptr) return;
    const bool is_round = incoming_.has_round();
    if (incoming_.has_parameter_chunk()) {
      const Tensor values = PayloadOf(incoming_);
      fake_->Send(incoming_, values);
    } else {
      fake_->Send(incoming_);
    }
    fake_->Work();
    std::vector<v1::WorkerMessage> answers;
    while (fake_->has_answer()) {
      FakeWorker::Answer answer = fake_->TakeAnswer();
      if (answer.values.defined()) {
        answer.message.set_payload(answer.values.data<float>(),
                                   answer.values.element_count() * sizeof(float));
      }
      answers.push_back(std::move(answer.message));
    }
    Send(std::move(answers));
    absl::MutexLock lock(&mutex_);
    has_worked_ |= is_round;
  }

  void Send(std::vector<v1::WorkerMessage> messages) {
    absl::MutexLock lock(&mutex_);
    if (no_more_ || messages.empty()) return;
    const bool idle = outgoing_.empty();
    for (v1::WorkerMessage& message : messages) outgoing_.push_back(std::move(message));
    if (idle) WriteFront();
  }

  void WriteFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    grpc::WriteOptions options;
    // With the next one: a system call for both.
    if (outgoing_.size() > 1) options.set_buffer_hint();
    StartWrite(&outgoing_.front(), options);
  }

  // Nothing is written any more.
  void LetGo() {
    {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(let_go_, true)) return;
      no_more_ = true;
    }
    RemoveHold();
  }

  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  v1::ServerMessage incoming_;
  std::unique_ptr<FakeWorker> fake_;

  mutable absl::Mutex mutex_;
  std::deque<v1::WorkerMessage> outgoing_ ABSL_GUARDED_BY(mutex_);  // front: being written
  bool welcomed_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_worked_ ABSL_GUARDED_BY(mutex_) = false;
  bool let_go_ ABSL_GUARDED_BY(mutex_) = false;
  bool no_more_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  std::string trouble_ ABSL_GUARDED_BY(mutex_);
};

RemoteFakeWorkers::RemoteFakeWorkers(const std::string& address, int count) {
  for (int i = 1; i <= count; ++i) {
    workers_.push_back(std::make_unique<RemoteFakeWorker>(address, i));
  }
  heart_ = std::thread([this] { Beat(); });
}

RemoteFakeWorkers::~RemoteFakeWorkers() {
  stopped_.Notify();
  heart_.join();
  for (const auto& worker : workers_) worker->Break();
}

void RemoteFakeWorkers::Beat() {
  while (!stopped_.WaitForNotificationWithTimeout(absl::Seconds(1))) {
    for (const auto& worker : workers_) worker->Beat();
  }
}

void RemoteFakeWorkers::AwaitWelcome() {
  for (const auto& worker : workers_) worker->AwaitWelcome();
}

void RemoteFakeWorkers::AwaitEnd() {
  for (const auto& worker : workers_) worker->AwaitEnd();
}

int RemoteFakeWorkers::connected() const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(),
                                        [](const auto& worker) { return worker->connected(); }));
}

int RemoteFakeWorkers::that_worked() const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(),
                                        [](const auto& worker) { return worker->has_worked(); }));
}

std::string RemoteFakeWorkers::trouble() const {
  for (const auto& worker : workers_) {
    if (std::string trouble = worker->trouble(); !trouble.empty()) return trouble;
  }
  return "";
}

}  // namespace lockstep::server
