// What the server has asked for and the computing thread has not yet done.
#ifndef LOCKSTEP_WORKER_INBOX_H_
#define LOCKSTEP_WORKER_INBOX_H_

#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "lockstep/v1/worker_service.pb.h"

namespace lockstep::worker {

// Threads: any; Take one.
class Inbox {
 public:
  // Where messages come from without a thread that puts them here.
  struct Source {
    // Waits for the next message; nothing once interrupted, or at its end.
    std::function<std::optional<v1::ServerMessage>()> take;
    // The same without waiting: nothing too where there is none.
    std::function<std::optional<v1::ServerMessage>()> try_take;
    std::function<void()> interrupt;
  };

  void Put(v1::ServerMessage message) {
    absl::MutexLock lock(&mutex_);
    messages_.push_back(std::move(message));
  }

  // What comes after all that has been put is taken from `source`; nothing is
  // put any more. At most once.
  void ContinueFrom(Source source) {
    absl::MutexLock lock(&mutex_);
    source_ = std::move(source);
    if (closed_) source_->interrupt();
  }

  // No more messages come; those that are there are not taken any more.
  void Close() {
    std::optional<Source> source;
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
      source = source_;
    }
    if (source.has_value()) source->interrupt();
  }

  bool closed() const {
    absl::MutexLock lock(&mutex_);
    return closed_;
  }

  // The next message, if there is one and this has not been closed.
  std::optional<v1::ServerMessage> TryTake() {
    std::optional<Source> source;
    {
      absl::MutexLock lock(&mutex_);
      if (closed_) return std::nullopt;
      if (!messages_.empty()) return TakeFront();
      source = source_;
    }
    return source.has_value() ? source->try_take() : std::nullopt;
  }

  // The next message; nothing once closed. Waits for either.
  std::optional<v1::ServerMessage> Take() {
    std::optional<Source> source;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Inbox::HasNews));
      if (closed_) return std::nullopt;
      if (!messages_.empty()) return TakeFront();
      source = source_;
    }
    return source->take();
  }

 private:
  v1::ServerMessage TakeFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::ServerMessage message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }

  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || !messages_.empty() || source_.has_value();
  }

  mutable absl::Mutex mutex_;
  std::deque<v1::ServerMessage> messages_ ABSL_GUARDED_BY(mutex_);
  std::optional<Source> source_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_INBOX_H_
