// One thread that does, in order, what must not be done under a lock or on a
// network thread: writing checkpoints and database rows, building models.
#ifndef LOCKSTEP_SERVER_BACKGROUND_QUEUE_H_
#define LOCKSTEP_SERVER_BACKGROUND_QUEUE_H_

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace lockstep::server {

class BackgroundQueue {
 public:
  BackgroundQueue() : thread_([this] { Run(); }) {}
  // Finishes what is queued.
  ~BackgroundQueue() {
    {
      absl::MutexLock lock(&mutex_);
      closing_ = true;
    }
    thread_.join();
  }

  // Threads: any, also from within a task.
  void Post(std::function<void()> task) {
    absl::MutexLock lock(&mutex_);
    tasks_.push_back(std::move(task));
  }

  // Waits until all that was posted before has been done.
  void Drain() {
    absl::Mutex done_mutex;
    bool done = false;
    Post([&] {
      absl::MutexLock lock(&done_mutex);
      done = true;
    });
    absl::MutexLock lock(&done_mutex);
    done_mutex.Await(absl::Condition(&done));
  }

 private:
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closing_ || !tasks_.empty(); }

  // Hashing and writing a large checkpoint takes seconds of a processor, which workers on
  // the same machine need more: while they want all there are, a third of a fair share.
  static void YieldToTraining() {
    constexpr int kNice = 5;
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  }

  void Run() {
    YieldToTraining();
    while (true) {
      std::function<void()> task;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &BackgroundQueue::HasWork));
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  absl::Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_BACKGROUND_QUEUE_H_
