// What decides a job's bits, as hashes: equal ones, equal model.
#ifndef LOCKSTEP_ENGINE_MODEL_JOB_IDENTITY_H_
#define LOCKSTEP_ENGINE_MODEL_JOB_IDENTITY_H_

#include <string>

#include "lockstep/v1/job.pb.h"

namespace lockstep {

// The specification without what does not change the bits: name, workers,
// checkpoint, priority, retries, tensor_digests, the files' paths (their
// digests stay), and by what name another job is gone on from (its model's and
// its checkpoint's hashes stay).
v1::JobSpec WithoutWhatChangesNoBit(v1::JobSpec spec);

// SHA-256 (hex) of that specification's bytes on the wire, fields by number,
// and maps by key, without data_summary and the files' digests. Requires: defaults filled in.
std::string JobSha256(const v1::JobSpec& spec);

// SHA-256 (hex) of the data: "train", then "validation" where there is one, each
// followed by its files' SHA-256 (for idx images, then labels) and a line end
// after every word; then "init" and init_from_sha256 where there is one.
std::string DataSha256(const v1::JobSpec& spec);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_JOB_IDENTITY_H_
