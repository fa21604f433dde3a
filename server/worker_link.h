// How the server's deciding parts speak to one worker, whatever carries it.
#ifndef LOCKSTEP_SERVER_WORKER_LINK_H_
#define LOCKSTEP_SERVER_WORKER_LINK_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "engine/tensor.h"
#include "lockstep/v1/worker_service.pb.h"

namespace lockstep::server {

// All calls queue and return at once; on a closed link they do nothing.
// Threads: any. May be called with a lock held: a link calls nobody back from
// within these.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;

  virtual void Send(const v1::ServerMessage& message) = 0;
  // Sends `values` (float32) as the message's payload, without copying them:
  // they must not change any more.
  virtual void Send(const v1::ServerMessage& message, const Tensor& values) = 0;
  // The next message may wait for the one after it, which is sure to come soon: a
  // small one is then written together with it.
  virtual void LetNextWait() {}
  // About how many bytes of messages and values the worker has not taken yet, of
  // those that it has been sent: more and more where it is slower than the rest.
  virtual size_t unsent_bytes() const { return 0; }
  // Ends the worker's stream with this status; its loss is reported as usual.
  virtual void Close(const absl::Status& status) = 0;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_WORKER_LINK_H_
