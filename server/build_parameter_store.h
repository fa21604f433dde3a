// From a job file to the parameters and optimizer state that the server trains.
#ifndef LOCKSTEP_SERVER_BUILD_PARAMETER_STORE_H_
#define LOCKSTEP_SERVER_BUILD_PARAMETER_STORE_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/build_model.h"
#include "lockstep/v1/job.pb.h"
#include "server/parameter_store.h"
#include "server/storage/checkpoint.h"

namespace lockstep::server {

// ResourceExhausted where a server with so many bytes of memory cannot hold
// the job: parameters, their next version, the optimizer's state, gradients
// and checkpoints that wait for the disk.
absl::Status CheckServerMemory(const v1::JobSpec& spec, const ModelPlan& plan, uint64_t bytes);

// The parameters as the seed gives them, with the optimizer's empty state.
// Requires: a valid spec with defaults and data_summary.
// Errors: InvalidArgument: a model that cannot be built. ResourceExhausted: as
// CheckServerMemory, for what is available now.
absl::StatusOr<std::unique_ptr<ParameterStore>> BuildParameterStore(const v1::JobSpec& spec,
                                                                    const LayerRegistry& layers);

// Takes parameters and optimizer state from a checkpoint. `is_forked`: it is
// another job's, from which this one goes on.
// Errors: InvalidArgument: it is not of this model and optimizer, or has more
// steps behind it than the job has.
absl::Status RestoreParameterStore(const v1::JobSpec& spec, const Checkpoint& checkpoint,
                                   bool is_forked, ParameterStore* store);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_BUILD_PARAMETER_STORE_H_
