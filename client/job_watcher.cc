#include "client/job_watcher.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/check.h"

namespace lockstep::client {
namespace {

// Whether another stream may do better than the one that ended so.
bool IsConnectionTrouble(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace

bool IsFinal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

JobWatcher::JobWatcher(std::unique_ptr<JobClient> client, std::string job_id,
                       JobWatcherOptions options)
    : client_(std::move(client)),
      job_id_(std::move(job_id)),
      options_(options),
      event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  LOCKSTEP_CHECK(event_fd_ >= 0, "eventfd");
  thread_ = std::thread([this] { Run(); });
}

JobWatcher::~JobWatcher() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  client_->CancelCalls();
  thread_.join();
  close(event_fd_);
}

JobNews JobWatcher::Take() {
  absl::MutexLock lock(&mutex_);
  uint64_t count;
  [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof(count));
  return std::exchange(news_, JobNews());
}

void JobWatcher::Run() {
  absl::Status status = WatchUntilFinal();
  absl::MutexLock lock(&mutex_);
  news_.ended = std::move(status);
  Signal();
}

absl::Status JobWatcher::WatchUntilFinal() {
  Backoff backoff(options_.backoff);
  bool away = false;
  absl::Time last_heard = absl::Now();
  while (true) {
    bool heard = false;
    bool final_state = false;
    absl::Status status = client_->Watch(job_id_, options_.interval_ms, [&](v1::Job job) {
      if (std::exchange(away, false)) Note("the server is back");
      heard = true;
      last_heard = absl::Now();
      final_state = IsFinal(job.state());
      Publish(std::move(job));
    });
    if (final_state) return absl::OkStatus();
    // A stream that ended early without an error: the server is stopping.
    if (status.ok()) status = absl::UnavailableError("the server closed the connection");
    if (!IsConnectionTrouble(status)) return status;
    if (heard) backoff.Reset();
    // The stream's own deadline, not the server's silence.
    if (heard && status.code() == absl::StatusCode::kDeadlineExceeded) continue;
    if (absl::Now() - last_heard > options_.patience) return status;
    if (!std::exchange(away, true)) Note(absl::StrCat(status.message(), "; trying again"));
    if (!Sleep(backoff.Next())) return absl::CancelledError("interrupted");
  }
}

void JobWatcher::Publish(v1::Job job) {
  absl::MutexLock lock(&mutex_);
  news_.job = std::move(job);
  Signal();
}

void JobWatcher::Note(std::string text) {
  absl::MutexLock lock(&mutex_);
  news_.notes.push_back(std::move(text));
  Signal();
}

void JobWatcher::Signal() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof(one));
}

bool JobWatcher::Sleep(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&stop_), duration);
}

}  // namespace lockstep::client
