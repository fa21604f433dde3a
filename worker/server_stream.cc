#include "worker/server_stream.h"

#include <utility>

#include "proto/codec/status_codec.h"

namespace lockstep::worker {

ServerStream::ServerStream(const std::shared_ptr<grpc::Channel>& channel, MessageHandler handler,
                           std::function<void()> on_end)
    : stub_(channel), handler_(std::move(handler)), on_end_(std::move(on_end)) {
  context_.set_wait_for_ready(false);
  stub_.PrepareBidiStreamingCall(&context_, "/lockstep.v1.WorkerService/Connect",
                                 grpc::StubOptions(), this);
  // Writes come from outside the reactor's own calls: the hold keeps it from
  // ending between two of them.
  AddHold();
  StartRead(&incoming_);
  StartCall();
}

ServerStream::~ServerStream() {
  context_.TryCancel();
  (void)AwaitEnd();
}

void ServerStream::Send(const v1::WorkerMessage& message) { Queue(EncodeFrame(message)); }

void ServerStream::Send(const v1::WorkerMessage& message, const Tensor& values) {
  Queue(EncodeFrame(message, values.data<float>(), values.element_count() * sizeof(float),
                    values.storage()));
}

void ServerStream::Queue(grpc::ByteBuffer frame) {
  absl::MutexLock lock(&mutex_);
  if (broken_ || closing_) return;
  frames_.push_back(std::move(frame));
  if (frames_.size() == 1) WriteNext();
}

void ServerStream::CloseAfterSending() {
  absl::MutexLock lock(&mutex_);
  if (closing_ || broken_) return;
  closing_ = true;
  if (frames_.empty()) WriteNext();
}

void ServerStream::WriteNext() {
  if (!frames_.empty()) {
    StartWrite(&frames_.front());
  } else if (closing_ && !writes_done_) {
    writes_done_ = true;
    StartWritesDone();
  }
}

void ServerStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  frames_.pop_front();
  if (broken_ || !ok) {
    frames_.clear();
    return;
  }
  WriteNext();
}

void ServerStream::OnReadDone(bool ok) {
  if (ok) {
    v1::ServerMessage message;
    FramePayload payload;
    absl::Status status = DecodeFrame(incoming_, &message, &payload);
    if (status.ok()) status = handler_(std::move(message), payload);
    if (status.ok()) {
      StartRead(&incoming_);
      return;
    }
    {
      absl::MutexLock lock(&mutex_);
      handler_status_ = status;
    }
    // Not where the server has ended the stream: its own word is on its way.
    context_.TryCancel();
  }
  {
    absl::MutexLock lock(&mutex_);
    broken_ = true;
  }
  on_end_();
  RemoveHold();
}

void ServerStream::OnDone(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  status_ = handler_status_.ok() ? FromGrpcStatus(status) : handler_status_;
  broken_ = true;
  frames_.clear();
  done_ = true;
}

absl::Status ServerStream::AwaitEnd() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&done_));
  return status_;
}

bool ServerStream::ended() const {
  absl::MutexLock lock(&mutex_);
  return done_;
}

}  // namespace lockstep::worker
