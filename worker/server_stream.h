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

namespace lockstep::worker {

// Threads: any.
class ServerStream : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Called for each message in order, on a thread of gRPC's. An error closes
  // the stream with it.
  using MessageHandler = std::function<absl::Status(v1::ServerMessage, const FramePayload&)>;

  // Opens the stream; whether the server is there shows later.
  // `on_end` is called once, when no more messages come.
  ServerStream(const std::shared_ptr<grpc::Channel>& channel, MessageHandler handler,
               std::function<void()> on_end);
  // Closes and waits.
  ~ServerStream() override;

  void Send(const v1::WorkerMessage& message);
  // `values` (float32) travel as the payload without being copied: they must
  // not change until then. Their storage is kept.
  void Send(const v1::WorkerMessage& message, const Tensor& values);
  // Ends the connection at once, unsent messages lost.
  void Break() { context_.TryCancel(); }
  // No more messages after those queued: the server sees an orderly end.
  void CloseAfterSending();

  // Why the stream ended; waits until it has.
  absl::Status AwaitEnd();
  bool ended() const;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  void Queue(grpc::ByteBuffer frame);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  const MessageHandler handler_;
  const std::function<void()> on_end_;
  grpc::ByteBuffer incoming_;

  mutable absl::Mutex mutex_;
  std::deque<grpc::ByteBuffer> frames_ ABSL_GUARDED_BY(mutex_);  // front: being written
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool writes_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status handler_status_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_SERVER_STREAM_H_
