// What a job begins with: the file that its init_from names, as the client sent
// it, kept at STATE_DIR/checkpoints/<job>/init.safetensors for as long as the
// job; or the checkpoint of another job, kept there as fork.safetensors.
#ifndef LOCKSTEP_SERVER_STORAGE_INITIAL_PARAMETERS_H_
#define LOCKSTEP_SERVER_STORAGE_INITIAL_PARAMETERS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/data/safetensors.h"
#include "server/storage/checkpoint.h"
#include "server/storage/job_store.h"

namespace lockstep::server {

// Whether `bytes` are a safetensors file with the spec's init_from_sha256.
// INVALID_ARGUMENT: not so. Whether the tensors are the model's is not asked.
absl::Status CheckInitialParameters(const v1::JobSpec& spec, absl::string_view bytes);

// Checks and writes the file. `job_id`: reserved or created.
absl::Status SaveInitialParameters(JobStore& store, const std::string& job_id,
                                   const v1::JobSpec& spec, absl::string_view bytes);

// The checkpoint that `fork` names, from its file's bytes. INVALID_ARGUMENT:
// they are not that file.
absl::StatusOr<Checkpoint> ParseFork(const v1::Fork& fork, absl::string_view bytes);

// The checkpoint that a job goes on from, kept at
// STATE_DIR/checkpoints/<job>/fork.safetensors. NOT_FOUND: no such job, or its
// spec names none; DATA_LOSS: the file is missing or damaged.
absl::StatusOr<Checkpoint> LoadFork(JobStore& store, const std::string& job_id);

// The bytes of that file.
absl::StatusOr<std::string> ReadForkFile(JobStore& store, const std::string& job_id);

// Reserves an id, saves the file, then creates the job: no one sees a job
// whose file is not there. Returns the id. Without init_from and
// forked_from in the spec, `bytes` must be empty (INVALID_ARGUMENT), and it is CreateJob.
absl::StatusOr<std::string> CreateJobFrom(JobStore& store, const v1::JobSpec& spec,
                                          absl::string_view bytes, absl::Time now);

// NOT_FOUND: no such job, or its spec names no file; DATA_LOSS: the file is
// missing or not the one that was sent.
absl::StatusOr<std::vector<data::NamedTensor>> LoadInitialParameters(JobStore& store,
                                                                     const std::string& job_id);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_INITIAL_PARAMETERS_H_
