// A worker's stream to its server: frames queued and written, frames read and
// handed on. One object, one connection.
#ifndef LOCKSTEP_WORKER_SERVER_STREAM_H_
#define LOCKSTEP_WORKER_SERVER_STREAM_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "engine/tensor.h"
#include "lockstep/v1/worker_service.pb.h"
#include "proto/codec/frame_codec.h"
#include "proto/shared_memory/shared_messages.h"

namespace lockstep::worker {

// Threads: any.
class ServerStream : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Called for each message in order, on a thread of gRPC's. An error closes
  // the stream with it.
  using MessageHandler = std::function<absl::Status(v1::ServerMessage, const FramePayload&)>;

  // Called once, when all further messages come through shared memory, to be
  // read there by NextShared; on a thread of gRPC's.
  using SharedHandler = std::function<void(std::shared_ptr<WorkerSharedMessages>)>;

  // Opens the stream; whether the server is there shows later.
  // `on_end` is called once, when no more messages come.
  ServerStream(const std::shared_ptr<grpc::Channel>& channel, MessageHandler handler,
               SharedHandler on_shared, std::function<void()> on_end);
  // Closes and waits.
  ~ServerStream() override;

  // The first message, with an offer of shared memory where the system has some.
  void Register(v1::WorkerMessage message, bool with_shared_memory);
  void Send(const v1::WorkerMessage& message);
  // On the stream itself, whether there is shared memory or not: it tells that
  // this machine is there.
  void SendHeartbeat();
  // `values` (float32) travel as the payload without being copied: they must
  // not change until then. Their storage is kept.
  // Waits while more than kMostQueuedBytes wait to be sent: the server, or the
  // way there, is slower than this worker.
  void Send(const v1::WorkerMessage& message, const Tensor& values);
  // Ends the connection at once, unsent messages lost.
  void Break() { context_.TryCancel(); }
  static constexpr size_t kMostQueuedBytes = 64 << 20;
  // The same with `size_bytes` of the values' memory as the payload: an encoding of
  // theirs. Not through shared memory.
  void SendEncoded(const v1::WorkerMessage& message, const Tensor& values, size_t size_bytes);
  // Bytes of messages that wait to be written to the stream.
  size_t queued_bytes() const;
  // Whether Send goes through shared memory, where that is.
  bool sends_shared() const;
  // No more messages after those queued: the server sees an orderly end.
  void CloseAfterSending();

  // Parameters that came through shared memory before this position are not used
  // any more. Threads: the one that reads them.
  void ReleaseShared(uint64_t position);
  // Ends the stream for a message that the server must not send.
  void Fail(const absl::Status& status);
  // Why the stream ended; waits until it has.
  absl::Status AwaitEnd();
  bool ended() const;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  void Queue(grpc::ByteBuffer frame) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Handle(v1::ServerMessage message, const FramePayload& payload);
  void AwaitSharedRoom();
  void TakeOffer(const v1::SharedMemoryOffer& offer);
  absl::Status TakeAnswer(const v1::SharedMemoryAnswer& answer);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return queued_bytes_ <= kMostQueuedBytes || broken_ || closing_;
  }
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  const MessageHandler handler_;
  const SharedHandler on_shared_;
  const std::function<void()> on_end_;
  grpc::ByteBuffer incoming_;

  mutable absl::Mutex mutex_;
  std::deque<grpc::ByteBuffer> frames_ ABSL_GUARDED_BY(mutex_);  // front: being written
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;              // of frames_
  // From Register on: offered. Dropped where the server cannot use it.
  std::shared_ptr<WorkerSharedMessages> shared_ ABSL_GUARDED_BY(mutex_);
  bool sends_shared_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool writes_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status handler_status_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_SERVER_STREAM_H_
