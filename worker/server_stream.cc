#include "worker/server_stream.h"

#include <utility>

#include "absl/time/clock.h"
#include "proto/codec/status_codec.h"

namespace lockstep::worker {

ServerStream::ServerStream(const std::shared_ptr<grpc::Channel>& channel, MessageHandler handler,
                           SharedHandler on_shared, std::function<void()> on_end)
    : stub_(channel),
      handler_(std::move(handler)),
      on_shared_(std::move(on_shared)),
      on_end_(std::move(on_end)) {
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

void ServerStream::Register(v1::WorkerMessage message, bool with_shared_memory) {
  absl::MutexLock lock(&mutex_);
  if (with_shared_memory) {
    if (auto shared = WorkerSharedMessages::Create(); shared.ok()) {
      shared_ = *std::move(shared);
      *message.mutable_register_()->mutable_shared_memory() = shared_->Offer();
    }
  }
  Queue(EncodeFrame(message));
}

void ServerStream::Send(const v1::WorkerMessage& message) {
  absl::MutexLock lock(&mutex_);
  if (sends_shared_) {
    shared_->Send(message);
  } else {
    Queue(EncodeFrame(message));
  }
}

void ServerStream::SendHeartbeat() {
  v1::WorkerMessage message;
  message.mutable_heartbeat();
  absl::MutexLock lock(&mutex_);
  Queue(EncodeFrame(message));
}

void ServerStream::Send(const v1::WorkerMessage& message, const Tensor& values) {
  {
    absl::MutexLock lock(&mutex_);
    if (!sends_shared_) {
      mutex_.Await(absl::Condition(this, &ServerStream::HasRoom));
      Queue(EncodeFrame(message, values.data<float>(), values.element_count() * sizeof(float),
                        values.storage()));
      return;
    }
    shared_->Send(message, values);
    if (shared_->queued_bytes() <= kMostQueuedBytes) return;
  }
  AwaitSharedRoom();
}

void ServerStream::AwaitSharedRoom() {
  const std::shared_ptr<WorkerSharedMessages> shared = [this] {
    absl::MutexLock lock(&mutex_);
    return shared_;
  }();
  while (!shared->Flush() && shared->queued_bytes() > kMostQueuedBytes && !shared->interrupted()) {
    absl::SleepFor(absl::Milliseconds(1));
  }
}

void ServerStream::SendEncoded(const v1::WorkerMessage& message, const Tensor& values,
                               size_t size_bytes) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &ServerStream::HasRoom));
  Queue(EncodeFrame(message, values.data<float>(), size_bytes, values.storage()));
}

size_t ServerStream::queued_bytes() const {
  absl::MutexLock lock(&mutex_);
  return queued_bytes_;
}

bool ServerStream::sends_shared() const {
  absl::MutexLock lock(&mutex_);
  return sends_shared_;
}

void ServerStream::Queue(grpc::ByteBuffer frame) {
  if (broken_ || closing_) return;
  queued_bytes_ += frame.Length();
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
  queued_bytes_ -= frames_.front().Length();
  frames_.pop_front();
  if (broken_ || !ok) {
    frames_.clear();
    queued_bytes_ = 0;
    return;
  }
  WriteNext();
}

void ServerStream::OnReadDone(bool ok) {
  if (ok) {
    v1::ServerMessage message;
    FramePayload payload;
    absl::Status status = DecodeFrame(incoming_, &message, &payload);
    if (status.ok()) status = Handle(std::move(message), payload);
    if (status.ok()) {
      StartRead(&incoming_);
      return;
    }
    // Not where the server has ended the stream: its own word is on its way.
    Fail(status);
  }
  {
    absl::MutexLock lock(&mutex_);
    broken_ = true;
  }
  on_end_();
  RemoveHold();
}

absl::Status ServerStream::Handle(v1::ServerMessage message, const FramePayload& payload) {
  if (message.has_shared_memory_offer()) {
    TakeOffer(message.shared_memory_offer());
    return absl::OkStatus();
  }
  if (message.has_shared_memory_answer()) return TakeAnswer(message.shared_memory_answer());
  return handler_(std::move(message), payload);
}

void ServerStream::TakeOffer(const v1::SharedMemoryOffer& offer) {
  absl::MutexLock lock(&mutex_);
  v1::WorkerMessage message;
  v1::SharedMemoryAnswer& answer = *message.mutable_shared_memory_answer();
  // Both must mean the same two regions; else all stays on the stream.
  if (shared_ != nullptr && offer.peer_token() == shared_->token() && shared_->Attach(offer).ok()) {
    answer.set_peer_token(shared_->peer_token());
  }
  Queue(EncodeFrame(message));
  sends_shared_ = !answer.peer_token().empty();
}

absl::Status ServerStream::TakeAnswer(const v1::SharedMemoryAnswer& answer) {
  std::shared_ptr<WorkerSharedMessages> shared;
  {
    absl::MutexLock lock(&mutex_);
    if (!sends_shared_ || answer.peer_token() != shared_->token()) {
      return absl::InvalidArgumentError("shared_memory_answer: got one that answers nothing");
    }
    shared = shared_;
  }
  on_shared_(std::move(shared));
  return absl::OkStatus();
}

void ServerStream::ReleaseShared(uint64_t position) {
  const std::shared_ptr<WorkerSharedMessages> shared = [this] {
    absl::MutexLock lock(&mutex_);
    return sends_shared_ ? shared_ : nullptr;
  }();
  if (shared == nullptr) return;
  shared->Release(position);
  // Gradients of the step before have been added: their memory is free again.
  (void)shared->Flush();
}

void ServerStream::Fail(const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    if (handler_status_.ok()) handler_status_ = status;
  }
  context_.TryCancel();
}

void ServerStream::OnDone(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  status_ = handler_status_.ok() ? FromGrpcStatus(status) : handler_status_;
  broken_ = true;
  frames_.clear();
  queued_bytes_ = 0;
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
