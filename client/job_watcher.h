// Follows one job through server restarts: the one place that retries.
#ifndef LOCKSTEP_CLIENT_JOB_WATCHER_H_
#define LOCKSTEP_CLIENT_JOB_WATCHER_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "client/job_client.h"
#include "client/retry.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

// Whether a job in this state changes no more unless it is resumed.
bool IsFinal(v1::JobState state);

struct JobWatcherOptions {
  uint32_t interval_ms = 0;  // as in WatchJobRequest
  BackoffOptions backoff;
  // The server may be away this long before the watch ends.
  absl::Duration patience = absl::Minutes(10);
};

// What has happened since the last Take().
struct JobNews {
  // The newest state; older ones that nobody took are dropped (each holds the
  // whole history of epochs).
  std::optional<v1::Job> job;
  // Lines for people about the connection.
  std::vector<std::string> notes;
  // Set once, last: OK after a final state; otherwise what ended the watch
  // (NotFound, Unavailable after `patience`, ...).
  std::optional<absl::Status> ended;
};

// Threads: Take() and fd() from one thread; the streams are read in another.
class JobWatcher {
 public:
  JobWatcher(std::unique_ptr<JobClient> client, std::string job_id, JobWatcherOptions options = {});
  // Ends the watch and its thread.
  ~JobWatcher();
  JobWatcher(const JobWatcher&) = delete;
  JobWatcher& operator=(const JobWatcher&) = delete;

  // Readable when Take() has something, for poll(); never read it.
  int fd() const { return event_fd_; }
  JobNews Take();

 private:
  void Run();
  // Opens streams until the job's end or an error that no retry helps.
  absl::Status WatchUntilFinal();
  void Publish(v1::Job job);
  void Note(std::string text);
  void Signal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: the watcher is to stop.
  bool Sleep(absl::Duration duration);

  const std::unique_ptr<JobClient> client_;
  const std::string job_id_;
  const JobWatcherOptions options_;
  int event_fd_;
  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  JobNews news_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_WATCHER_H_
