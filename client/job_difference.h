// Which fields of two job files differ, and which of them can explain where the
// runs part. Decisions only.
#ifndef LOCKSTEP_CLIENT_JOB_DIFFERENCE_H_
#define LOCKSTEP_CLIENT_JOB_DIFFERENCE_H_

#include <string>
#include <vector>

#include "lockstep/v1/job.pb.h"

namespace lockstep::client {

struct FieldDifference {
  std::string field;  // its path in a job file
  std::string left;   // values as text; empty: not set
  std::string right;
};

// Those that decide the bits (engine/model/job_identity.h); the data's digests
// stand for its files.
std::vector<FieldDifference> CompareJobs(const v1::JobSpec& left, const v1::JobSpec& right);

// Where two runs part: already in the gradients of some shard, only in what the
// optimizer made of equal gradients, or it is not known.
enum class PartingPlace { kGradient, kUpdate, kUnknown };

// The fields that can make runs part there: optimizer, schedule, clipping,
// groups, ema and outer optimizer change an update, all others a gradient.
std::vector<FieldDifference> Explaining(const std::vector<FieldDifference>& differences,
                                        PartingPlace place);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_DIFFERENCE_H_
