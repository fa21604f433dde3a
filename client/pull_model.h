// Fetches a job's model into a file and proves that it is the right one.
#ifndef LOCKSTEP_CLIENT_PULL_MODEL_H_
#define LOCKSTEP_CLIENT_PULL_MODEL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/environment.h"
#include "client/job_client.h"

namespace lockstep::client {

struct PulledModel {
  std::string sha256;  // of the parameters, as the job has it
  uint64_t step = 0;   // committed steps behind it
  uint64_t size_bytes = 0;
};

// Writes the newest checkpoint's parameters of `job_id` to `path`, whole or not
// at all. Errors: those of the calls; FailedPrecondition (no checkpoint yet);
// DataLoss (what came does not have the job's hash); AtomicFile's.
absl::StatusOr<PulledModel> PullModel(const Environment& environment, JobClient* client,
                                      const std::string& job_id, const std::string& path);

// The same with the checkpoint of `step`, whose hash is that of its receipt. Errors also:
// FailedPrecondition (none of that step is on the server's disk; the message names those
// that are).
absl::StatusOr<PulledModel> PullModelOfStep(const Environment& environment, JobClient* client,
                                            const std::string& job_id, uint64_t step,
                                            const std::string& path);

// The step of the checkpoint with the lowest validation loss of those on the server's
// disk. `note`: says so where an epoch with a lower one is not among them; else empty.
// FailedPrecondition: there is none with a validation loss.
absl::StatusOr<uint64_t> FindBestStep(JobClient* client, const std::string& job_id,
                                      std::string* note);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_PULL_MODEL_H_
