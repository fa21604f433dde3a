// What the server has asked for and the computing thread has not yet done.
#ifndef LOCKSTEP_WORKER_INBOX_H_
#define LOCKSTEP_WORKER_INBOX_H_

#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "lockstep/v1/worker_service.pb.h"

namespace lockstep::worker {

// Threads: any.
class Inbox {
 public:
  void Put(v1::ServerMessage message) {
    absl::MutexLock lock(&mutex_);
    messages_.push_back(std::move(message));
  }

  // No more messages come; those that are there are not taken any more.
  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  bool closed() const {
    absl::MutexLock lock(&mutex_);
    return closed_;
  }

  // The next message; nothing once closed. Waits for either.
  std::optional<v1::ServerMessage> Take() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Inbox::HasNews));
    if (closed_) return std::nullopt;
    v1::ServerMessage message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }

 private:
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || !messages_.empty();
  }

  mutable absl::Mutex mutex_;
  std::deque<v1::ServerMessage> messages_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_INBOX_H_
