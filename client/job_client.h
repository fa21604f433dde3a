// JobService as a client sees it: statuses instead of gRPC's, deadlines on
// every call, calls that can be cancelled. No retries: see job_watcher.h.
#ifndef LOCKSTEP_CLIENT_JOB_CLIENT_H_
#define LOCKSTEP_CLIENT_JOB_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

struct JobClientTimeouts {
  // Calls that only look something up or queue something.
  absl::Duration call = absl::Seconds(15);
  // CancelJob and PauseJob answer when the job's present step has ended and its checkpoint
  // is on the disk, LiftQuarantine after what the server is writing or building.
  absl::Duration cancel = absl::Seconds(120);
  // One stream of WatchJob; whoever watches longer opens another. It bounds how
  // long a server that vanished without a word goes unnoticed.
  absl::Duration watch = absl::Seconds(60);
  // Longest wait for the next piece of a model.
  absl::Duration pull_piece = absl::Seconds(60);
};

// Errors of every call beside those in job_service.proto: Unavailable (the
// server cannot be reached), DeadlineExceeded (it did not answer in time),
// Cancelled (CancelCalls() was called). Messages of the first two name the
// address.
// Threads: all functions from any thread.
class JobClient {
 public:
  // Does not connect yet. Errors: InvalidArgument for a bad address.
  static absl::StatusOr<std::unique_ptr<JobClient>> Create(absl::string_view address,
                                                           const JobClientTimeouts& timeouts = {});
  virtual ~JobClient() = default;

  // `init_from_path`: the file behind spec.init_from, sent after the spec; empty
  // where the spec has none. Errors also: those of reading that file.
  virtual absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec,
                                         const std::string& init_from_path) = 0;
  // The same with the bytes of spec.forked_from's checkpoint (empty where it has
  // none), and an order of updates to repeat (empty: none).
  virtual absl::StatusOr<v1::Job> SubmitBytes(const v1::JobSpec& spec, absl::string_view checkpoint,
                                              const v1::Arrivals& replay) = 0;
  // A job that goes on from a checkpoint of the server's.
  virtual absl::StatusOr<v1::Job> SubmitFork(const v1::JobSpec& spec,
                                             const v1::ForkRequest& from) = 0;
  virtual absl::StatusOr<v1::Job> Get(const std::string& job_id) = 0;
  virtual absl::StatusOr<v1::ListJobsResponse> ListJobs() = 0;
  virtual absl::StatusOr<v1::ListWorkersResponse> ListWorkers() = 0;
  virtual absl::StatusOr<v1::LiftQuarantineResponse> LiftQuarantine(const std::string& worker) = 0;
  virtual absl::StatusOr<v1::Job> Cancel(const std::string& job_id) = 0;
  virtual absl::StatusOr<v1::Job> Pause(const std::string& job_id) = 0;
  virtual absl::StatusOr<v1::Job> Resume(const std::string& job_id) = 0;

  // One stream of WatchJob: `receive` gets each message. OK when the server
  // ended the stream; DeadlineExceeded after the watch timeout.
  virtual absl::Status Watch(const std::string& job_id, uint32_t interval_ms,
                             const std::function<void(v1::Job)>& receive) = 0;
  // Hands the model's file to `sink` piece by piece: of the checkpoint of `step`, or the
  // newest. An error of the sink ends the call and is returned.
  virtual absl::Status Pull(const std::string& job_id, std::optional<uint64_t> step,
                            const std::function<absl::Status(absl::string_view)>& sink) = 0;

  // A checkpoint's file.
  virtual absl::StatusOr<std::string> PullCheckpoint(const std::string& job_id, uint64_t step) = 0;
  virtual absl::StatusOr<v1::ListCheckpointsResponse> ListCheckpoints(
      const std::string& job_id) = 0;
  virtual absl::StatusOr<v1::ListReceiptsResponse> ListReceipts(const std::string& job_id) = 0;
  // All of them, in one.
  virtual absl::StatusOr<v1::Arrivals> GetArrivals(const std::string& job_id) = 0;
  virtual absl::StatusOr<v1::JobDigests> GetDigests(const std::string& job_id,
                                                    uint64_t after_step) = 0;

  // Ends all calls under way, and all later ones at once, with Cancelled.
  virtual void CancelCalls() = 0;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_CLIENT_H_
