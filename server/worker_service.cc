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
#include "server/parameter_store.h"

namespace lockstep::server {
namespace {

using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// What the manager holds of a stream: it outlives the stream, and then does
// nothing.
class StreamLink : public WorkerLink {
 public:
  explicit StreamLink(Reactor* reactor) : reactor_(reactor) {}

  void Send(const v1::ServerMessage& message) override { Queue(EncodeFrame(message)); }

  void Send(const v1::ServerMessage& message, const Tensor& values) override {
    Queue(EncodeFrame(message, values.data<float>(), values.element_count() * sizeof(float),
                      values.storage()));
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
    frames_.pop_front();
    if (!ok || finished_) {
      frames_.clear();
    } else if (!frames_.empty()) {
      WriteFront();
    }
  }

  // The stream is no more.
  void Detach() {
    absl::MutexLock lock(&mutex_);
    reactor_ = nullptr;
    frames_.clear();
  }

 private:
  void Queue(grpc::ByteBuffer frame) {
    absl::MutexLock lock(&mutex_);
    if (reactor_ == nullptr || finished_) return;
    frames_.push_back(std::move(frame));
    if (frames_.size() == 1) WriteFront();
  }

  void WriteFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    reactor_->StartWrite(&frames_.front());
  }

  absl::Mutex mutex_;
  Reactor* reactor_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<grpc::ByteBuffer> frames_ ABSL_GUARDED_BY(mutex_);  // front: being written
};

// The payload as float32 values; undefined where the frame has none.
absl::StatusOr<Tensor> PayloadTensor(const FramePayload& payload) {
  const size_t bytes = payload.size_bytes();
  if (bytes == 0) return Tensor();
  if (bytes % sizeof(float) != 0 || bytes > kChunkElements * sizeof(float)) {
    return absl::InvalidArgumentError(absl::StrCat("payload: got ", bytes,
                                                   " bytes, want a multiple of 4, at most ",
                                                   kChunkElements * sizeof(float)));
  }
  Tensor values = Tensor::Empty(Shape{static_cast<int64_t>(bytes / sizeof(float))});
  payload.CopyTo(values.data<float>());
  return values;
}

class WorkerStream : public Reactor {
 public:
  WorkerStream(JobManager* manager, std::string peer)
      : manager_(manager), peer_(std::move(peer)), link_(std::make_shared<StreamLink>(this)) {
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
      Leave();
      link_->Close(absl::OkStatus());
      return;
    }
    if (const absl::Status status = Take(); !status.ok()) {
      std::fprintf(stderr, "worker %s: stream closed: %s\n",
                   name_.empty() ? peer_.c_str() : name_.c_str(),
                   std::string(status.message()).c_str());
      Leave();
      link_->Close(status);
      return;
    }
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override { link_->OnWriteDone(ok); }

  void OnCancel() override { link_->Close(absl::CancelledError("stream cancelled")); }

  void OnDone() override {
    Leave();
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
      return absl::OkStatus();
    }
    auto values = PayloadTensor(payload);
    if (!values.ok()) return values.status();
    if (values->defined() != message.has_gradient_chunk()) {
      return absl::InvalidArgumentError(
          "payload: got none with a gradient_chunk, or one without it");
    }
    return manager_->OnWorkerMessage(name_, message, *std::move(values));
  }

  void Leave() {
    if (left_) return;
    left_ = true;
    if (!name_.empty()) manager_->DisconnectWorker(name_);
  }

  JobManager* const manager_;
  const std::string peer_;
  const std::shared_ptr<StreamLink> link_;
  // Used by reads alone, which gRPC makes one after another, and by OnDone,
  // which comes after the last.
  grpc::ByteBuffer incoming_;
  std::string name_;
  bool left_ = false;
  // Shared with the alarm, which may go off while the stream ends.
  const std::shared_ptr<std::atomic<bool>> registered_ = std::make_shared<std::atomic<bool>>(false);
  grpc::Alarm registration_alarm_;
};

}  // namespace

Reactor* WorkerServiceImpl::Connect(grpc::CallbackServerContext* context) {
  return new WorkerStream(manager_, context->peer());
}

}  // namespace lockstep::server
