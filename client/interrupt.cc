#include "client/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "absl/time/clock.h"
#include "client/exit_code.h"
#include "engine/check.h"

namespace lockstep::client {
namespace {

constexpr int kSignals[3] = {SIGINT, SIGTERM, SIGHUP};
// timeout(1) and the like send each signal twice, to the process and to its
// group; people take longer.
constexpr absl::Duration kSameSignal = absl::Milliseconds(300);
constexpr char kSignalByte = 's';
constexpr char kStopByte = 'x';

// A handler can reach nothing but globals; -1: no watcher.
std::atomic<int> handler_pipe{-1};
static_assert(std::atomic<int>::is_always_lock_free, "the handler must not lock");

void Handle(int) {
  const int saved_errno = errno;
  const int fd = handler_pipe.load();
  if (fd >= 0) {
    // A full pipe already holds more signals than anyone needs.
    [[maybe_unused]] const ssize_t written = write(fd, &kSignalByte, 1);
  }
  errno = saved_errno;
}

}  // namespace

InterruptWatcher::InterruptWatcher() {
  int ends[2];
  LOCKSTEP_CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
  pipe_read_ = ends[0];
  pipe_write_ = ends[1];
  LOCKSTEP_CHECK_EQ(fcntl(pipe_write_, F_SETFL, O_NONBLOCK), 0);
  event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  LOCKSTEP_CHECK(event_fd_ >= 0, "eventfd");
  int none = -1;
  LOCKSTEP_CHECK(handler_pipe.compare_exchange_strong(none, pipe_write_), "a second watcher");
  thread_ = std::thread([this] { Run(); });
  struct sigaction action = {};
  action.sa_handler = Handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &action, &before_[i]);
}

InterruptWatcher::~InterruptWatcher() {
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &before_[i], nullptr);
  handler_pipe.store(-1);
  while (write(pipe_write_, &kStopByte, 1) < 0 && (errno == EAGAIN || errno == EINTR)) {
    std::this_thread::yield();
  }
  thread_.join();
  close(pipe_read_);
  close(pipe_write_);
  close(event_fd_);
}

void InterruptWatcher::OnInterrupt(std::function<void()> callback) {
  absl::MutexLock lock(&mutex_);
  if (interrupted() && callback) callback();
  on_interrupt_ = std::move(callback);
}

void InterruptWatcher::SetLastWords(std::function<void()> callback) {
  absl::MutexLock lock(&mutex_);
  last_words_ = std::move(callback);
}

void InterruptWatcher::Run() {
  absl::Time first_signal_at;
  while (true) {
    char byte = 0;
    const ssize_t got = read(pipe_read_, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1 || byte == kStopByte) return;
    // Held while a callback runs: that is what the setters promise.
    absl::MutexLock lock(&mutex_);
    const absl::Time now = absl::Now();
    if (interrupted_.exchange(true)) {
      if (now - first_signal_at < kSameSignal) continue;
      if (last_words_) last_words_();
      _exit(kExitInterrupted);
    }
    first_signal_at = now;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof(one));
    if (on_interrupt_) on_interrupt_();
  }
}

}  // namespace lockstep::client
