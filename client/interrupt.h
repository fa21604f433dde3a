// Ctrl-C and its relatives: the one place that installs signal handlers.
#ifndef LOCKSTEP_CLIENT_INTERRUPT_H_
#define LOCKSTEP_CLIENT_INTERRUPT_H_

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace lockstep::client {

// While one of these lives, SIGINT, SIGTERM and SIGHUP do not end the process:
// the first is reported here, the second runs the last words and ends the
// process with exit code 130 (unless it comes so soon that it is the same one). The handler only
// writes to a pipe; a thread of the watcher reads it, so that callbacks are ordinary code.
//
// Requires: at most one at a time.
// Threads: all functions from any thread.
class InterruptWatcher {
 public:
  InterruptWatcher();
  // Puts back the handlers that were there before.
  ~InterruptWatcher();
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;

  // Whether a signal has come.
  bool interrupted() const { return interrupted_.load(); }
  // Readable from the first signal on, for poll(); never read it.
  int fd() const { return event_fd_; }

  // Runs `callback` in the watcher's thread at the first signal; here and now
  // if that has come already. Empty: nothing. When this returns the callback
  // set before is not running and will not run; so a callback must not call it.
  void OnInterrupt(std::function<void()> callback);
  // The same for the second signal, just before the process ends.
  void SetLastWords(std::function<void()> callback);

 private:
  void Run();

  int pipe_read_ = -1;
  int pipe_write_ = -1;
  int event_fd_ = -1;
  // Set once, before event_fd_ becomes readable; sequentially consistent.
  std::atomic<bool> interrupted_{false};
  absl::Mutex mutex_;
  std::function<void()> on_interrupt_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> last_words_ ABSL_GUARDED_BY(mutex_);
  struct sigaction before_[3];
  std::thread thread_;
};

// Runs `callback` at the first signal for as long as this object lives.
class OnInterruptScope {
 public:
  OnInterruptScope(InterruptWatcher* watcher, std::function<void()> callback) : watcher_(watcher) {
    watcher_->OnInterrupt(std::move(callback));
  }
  ~OnInterruptScope() { watcher_->OnInterrupt({}); }
  OnInterruptScope(const OnInterruptScope&) = delete;
  OnInterruptScope& operator=(const OnInterruptScope&) = delete;

 private:
  InterruptWatcher* const watcher_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_INTERRUPT_H_
