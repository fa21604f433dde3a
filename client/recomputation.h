// Computes a stretch of a job again, on this machine, with a server and a worker
// of its own: what `verify` and `diff` compare with.
#ifndef LOCKSTEP_CLIENT_RECOMPUTATION_H_
#define LOCKSTEP_CLIENT_RECOMPUTATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/environment.h"
#include "client/interrupt.h"
#include "client/job_client.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

// Where a stretch of a job can begin.
struct StretchStart {
  v1::JobSpec spec;        // of the job, going on from the checkpoint below
  uint64_t step = 0;       // committed steps
  std::string checkpoint;  // its file's bytes; empty: the job's own beginning
  v1::Arrivals replay;     // the order of updates to repeat; empty: none
};

// The latest state of the job, at or before `step`, that its server still has:
// a checkpoint, or the job's beginning. Errors: those of the calls.
absl::StatusOr<StretchStart> FindStart(JobClient* client, const v1::Job& job,
                                       const v1::ListReceiptsResponse& receipts, uint64_t step);

struct Recomputed {
  v1::JobDigests digests;
  std::vector<v1::Receipt> receipts;
};

struct RecomputeOptions {
  uint64_t last_step = 0;  // computed at least up to here
  uint64_t digest_interval = 1;
  bool shard_digests = false;
  int threads = 0;  // 0: all of the machine's
};

// Errors: FailedPrecondition: the data are not on this machine, or not the job's;
// Cancelled: `interrupt`; Internal: a program that does not start; those of the calls.
absl::StatusOr<Recomputed> Recompute(const Environment& environment, InterruptWatcher* interrupt,
                                     const StretchStart& start, const RecomputeOptions& options);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_RECOMPUTATION_H_
