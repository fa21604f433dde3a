// Shows a job's progress until it ends: what `watch`, `submit --watch`,
// `resume --watch` and `train` have in common.
#ifndef LOCKSTEP_CLIENT_FOLLOW_JOB_H_
#define LOCKSTEP_CLIENT_FOLLOW_JOB_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/environment.h"
#include "client/interrupt.h"
#include "client/job_watcher.h"
#include "client/output_format.h"
#include "client/progress.h"

namespace lockstep::client {

struct FollowHooks {
  // Called about every 100 ms and after each update; an error ends the following.
  std::function<absl::Status(ProgressView*)> tick;
  // Called with each update, after it was shown.
  std::function<void(const v1::Job&)> update;
};

struct FollowResult {
  // OK: the job has a final state; Cancelled: interrupted; otherwise what
  // ended the watch, or the tick's error.
  absl::Status status;
  // The newest state that was seen.
  v1::Job job;
};

// Threads: from one; calls the hooks there.
FollowResult FollowJob(const InterruptWatcher& interrupt, JobWatcher* watcher, ProgressView* view,
                       const FollowHooks& hooks = {});

// The view for `format`. `server`: for the hint how to start a worker; empty:
// the workers are this process's own.
std::unique_ptr<ProgressView> MakeProgressView(const Environment& environment, OutputFormat format,
                                               const std::string& server);

// Follows `job_id` on `server` and returns the exit code: kExitOk if it
// succeeded, kExitFailed if it ended otherwise.
int WatchToTheEnd(const Environment& environment, const InterruptWatcher& interrupt,
                  const std::string& server, const std::string& job_id, OutputFormat format);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_FOLLOW_JOB_H_
