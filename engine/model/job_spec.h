// What a job's specification must satisfy by itself: defaults, ranges, required
// fields. The client uses it on what it reads from a job file, the server again
// on what peers send. Data files and shapes are not looked at here: see
// engine/model/job_data.h and engine/model/build_model.h.
#ifndef LOCKSTEP_ENGINE_MODEL_JOB_SPEC_H_
#define LOCKSTEP_ENGINE_MODEL_JOB_SPEC_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// One thing that is wrong with a specification.
struct FieldProblem {
  // The field, from JobSpec's top: "model[2].linear.out_features".
  std::string path;
  // One line without the path: "got 0, want 1 to 16777216".
  std::string message;
  // What `message` says is wanted, "1 to 16777216"; empty where the message is
  // of another form. For callers that know that the field was never written:
  // a plain proto3 number cannot tell 0 from unset.
  std::string wanted;
};

// Sets every default of job.proto explicitly, so that a stored specification
// says all that decides the job. Leaves what is set, required fields and `name`
// as they are. Idempotent; any specification will do, valid or not.
void FillJobDefaults(v1::JobSpec* spec);

// Everything that is wrong, in the order of job.proto's fields; empty: valid.
// Unset optional fields count as their defaults. What the client adds at
// submission (digests, data_summary) is only checked where it is there.
// Any specification will do, from friend or foe.
std::vector<FieldProblem> ValidateJobSpec(const v1::JobSpec& spec);

// ValidateJobSpec, and besides: the digests and data_summary must be there.
// For the server, on a specification that a client submits.
std::vector<FieldProblem> ValidateSubmittedJobSpec(const v1::JobSpec& spec);

// Ok without problems; else InvalidArgument naming the first few of them.
absl::Status StatusOfProblems(const std::vector<FieldProblem>& problems);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_JOB_SPEC_H_
