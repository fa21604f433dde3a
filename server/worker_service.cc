#include "server/worker_service.h"

#include <grpcpp/alarm.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "proto/codec/frame_codec.h"
#include "proto/codec/status_codec.h"
#include "proto/shared_memory/shared_messages.h"
#include "server/gradient_payload.h"
#include "server/parameter_store.h"
#include "server/shared_reader.h"

namespace lockstep::server {
namespace {

using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// What the manager holds of a stream: it outlives the stream, and then does
// nothing.
class StreamLink : public WorkerLink {
 public:
  explicit StreamLink(Reactor* reactor) : reactor_(reactor) {}

  void Send(const v1::ServerMessage& message) override {
    absl::MutexLock lock(&mutex_);
    if (shared_ != nullptr) {
      shared_->Send(message);
    } else {
      Queue(EncodeFrame(message));
    }
  }

  void Send(const v1::ServerMessage& message, const Tensor& values) override {
    absl::MutexLock lock(&mutex_);
    if (shared_ != nullptr) {
      shared_->Send(message, values);
    } else {
      Queue(EncodeFrame(message, values.data<float>(), values.element_count() * sizeof(float),
                        values.storage()));
    }
  }

  void LetNextWait() override {
    absl::MutexLock lock(&mutex_);
    next_may_wait_ = true;
  }

  size_t unsent_bytes() const override {
    absl::MutexLock lock(&mutex_);
    return queued_bytes_ + (shared_ != nullptr ? shared_->unsent_bytes() : 0);
  }

  // Sends `last` on the stream, and all that follows through shared memory.
  void SendOverMemory(const v1::ServerMessage& last, std::shared_ptr<ServerSharedMessages> shared) {
    absl::MutexLock lock(&mutex_);
    Queue(EncodeFrame(last));
    shared_ = std::move(shared);
  }

  void Close(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    if (reactor_ == nullptr || finished_) return;
    finished_ = true;
    reactor_->Finish(ToGrpcStatus(status));
  }

  // The write before has ended: the next one.
  void OnWriteDone(bool ok) {
    absl::MutexLock lock(&mutex_);
    queued_bytes_ -= frames_.front().Length();
    frames_.pop_front();
    if (!ok || finished_) {
      frames_.clear();
      queued_bytes_ = 0;
    } else if (!frames_.empty()) {
      WriteFront();
    }
  }

  // The stream is no more.
  void Detach() {
    absl::MutexLock lock(&mutex_);
    reactor_ = nullptr;
    frames_.clear();
    queued_bytes_ = 0;
    shared_ = nullptr;
  }

 private:
  void Queue(grpc::ByteBuffer frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (reactor_ == nullptr || finished_) return;
    queued_bytes_ += frame.Length();
    frames_.push_back(std::move(frame));
    if (frames_.size() == 1) WriteFront();
  }

  void WriteFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    grpc::WriteOptions options;
    // With the next one: a system call for both.
    if (frames_.size() > 1 || next_may_wait_) options.set_buffer_hint();
    next_may_wait_ = false;
    reactor_->StartWrite(&frames_.front(), options);
  }

  mutable absl::Mutex mutex_;
  Reactor* reactor_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<grpc::ByteBuffer> frames_ ABSL_GUARDED_BY(mutex_);  // front: being written
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;              // of frames_
  bool next_may_wait_ ABSL_GUARDED_BY(mutex_) = false;
  // Not null: messages go this way instead.
  std::shared_ptr<ServerSharedMessages> shared_ ABSL_GUARDED_BY(mutex_);
};

// The payload as it came; undefined where the frame has none.
absl::StatusOr<Tensor> PayloadTensor(const FramePayload& payload) {
  const size_t bytes = payload.size_bytes();
  if (bytes == 0) return Tensor();
  if (bytes % sizeof(float) != 0 || bytes > kLargeChunkElements * sizeof(float)) {
    return absl::InvalidArgumentError(absl::StrCat("payload: got ", bytes,
                                                   " bytes, want a multiple of 4, at most ",
                                                   kLargeChunkElements * sizeof(float)));
  }
  Tensor values = Tensor::Empty(Shape{static_cast<int64_t>(bytes / sizeof(float))});
  payload.CopyTo(values.data<float>());
  return values;
}

class WorkerStream : public Reactor {
 public:
  WorkerStream(JobManager* manager, bool shared_memory, std::string peer)
      : manager_(manager),
        shared_memory_(shared_memory),
        peer_(std::move(peer)),
        link_(std::make_shared<StreamLink>(this)) {
    // A peer that connects and says nothing does not stay for ever.
    registration_alarm_.Set(
        absl::ToChronoTime(absl::Now() + manager->lease()),
        [link = link_, registered = registered_](bool ok) {
          if (!ok || *registered) return;
          link->Close(absl::DeadlineExceededError("register: got nothing in time, want it first"));
        });
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      // What it has sent through shared memory before it left counts.
      reader_ = nullptr;
      Leave();
      link_->Close(absl::OkStatus());
      return;
    }
    if (const absl::Status status = Take(); !status.ok()) {
      Expel(status);
      return;
    }
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override { link_->OnWriteDone(ok); }

  void OnCancel() override { link_->Close(absl::CancelledError("stream cancelled")); }

  void OnDone() override {
    Leave();
    reader_ = nullptr;
    link_->Detach();
    delete this;
  }

 private:
  absl::Status Take() {
    v1::WorkerMessage message;
    FramePayload payload;
    if (auto status = DecodeFrame(incoming_, &message, &payload); !status.ok()) return status;
    if (name_.empty()) {
      if (!message.has_register_()) {
        return absl::InvalidArgumentError("worker message: got another one first, want register");
      }
      auto name = manager_->ConnectWorker(message.register_(), link_);
      if (!name.ok()) return name.status();
      name_ = *std::move(name);
      *registered_ = true;
      if (shared_memory_ && message.register_().has_shared_memory()) {
        OfferSharedMemory(message.register_().shared_memory());
      }
      return absl::OkStatus();
    }
    if (message.has_shared_memory_answer()) {
      return TakeSharedMemoryAnswer(message.shared_memory_answer());
    }
    auto values = PayloadTensor(payload);
    if (!values.ok()) return values.status();
    return Handle(message, *std::move(values));
  }

  absl::Status Handle(const v1::WorkerMessage& message, Tensor payload) {
    auto values = GradientValues(message, std::move(payload));
    if (!values.ok()) return values.status();
    return manager_->OnWorkerMessage(name_, message, *std::move(values));
  }

  // Where the worker's region cannot be opened all stays on the stream.
  void OfferSharedMemory(const v1::SharedMemoryOffer& workers) {
    auto shared = ServerSharedMessages::Create();
    if (!shared.ok() || !(*shared)->Attach(workers).ok()) return;
    offered_ = *std::move(shared);
    v1::ServerMessage message;
    *message.mutable_shared_memory_offer() = offered_->Offer();
    message.mutable_shared_memory_offer()->set_peer_token(offered_->peer_token());
    link_->Send(message);
  }

  absl::Status TakeSharedMemoryAnswer(const v1::SharedMemoryAnswer& answer) {
    const std::shared_ptr<ServerSharedMessages> shared = std::exchange(offered_, nullptr);
    if (shared == nullptr) {
      return absl::InvalidArgumentError("shared_memory_answer: got one, want it after an offer");
    }
    if (answer.peer_token().empty()) return absl::OkStatus();
    if (answer.peer_token() != shared->token()) {
      return absl::InvalidArgumentError(
          "shared_memory_answer.peer_token: got another than the region's");
    }
    v1::ServerMessage last;
    last.mutable_shared_memory_answer()->set_peer_token(shared->peer_token());
    link_->SendOverMemory(last, shared);
    reader_ = std::make_unique<SharedReader>(
        shared,
        [this](const v1::WorkerMessage& message, Tensor values) {
          return Handle(message, std::move(values));
        },
        [this](const absl::Status& status) { Expel(status); });
    return absl::OkStatus();
  }

  // Ends the stream of a worker that sent what it must not. Threads: the stream's
  // reads and the reader of shared memory.
  void Expel(const absl::Status& status) {
    std::fprintf(stderr, "worker %s: stream closed: %s\n",
                 name_.empty() ? peer_.c_str() : name_.c_str(),
                 std::string(status.message()).c_str());
    Leave();
    link_->Close(status);
  }

  void Leave() {
    if (left_.exchange(true)) return;
    if (!name_.empty()) manager_->DisconnectWorker(name_);
  }

  JobManager* const manager_;
  const bool shared_memory_;
  const std::string peer_;
  const std::shared_ptr<StreamLink> link_;
  // Used by reads alone, which gRPC makes one after another, and by OnDone,
  // which comes after the last.
  grpc::ByteBuffer incoming_;
  std::string name_;
  std::shared_ptr<ServerSharedMessages> offered_;
  std::atomic<bool> left_{false};
  // Shared with the alarm, which may go off while the stream ends.
  const std::shared_ptr<std::atomic<bool>> registered_ = std::make_shared<std::atomic<bool>>(false);
  grpc::Alarm registration_alarm_;
  std::unique_ptr<SharedReader> reader_;  // last: it uses the others
};

}  // namespace

Reactor* WorkerServiceImpl::Connect(grpc::CallbackServerContext* context) {
  return new WorkerStream(manager_, shared_memory_, context->peer());
}

}  // namespace lockstep::server
