// Counts for people of what a job's workers did beside what counts: they go on from
// checkpoint to checkpoint, also in another server process.
#ifndef LOCKSTEP_SERVER_WORK_COUNTS_H_
#define LOCKSTEP_SERVER_WORK_COUNTS_H_

#include <cstdint>
#include <map>
#include <string>

#include "lockstep/v1/job_service.pb.h"

namespace lockstep::server {

struct WorkCounts {
  // As in Progress (job_service.proto).
  uint64_t shards_audited = 0;
  uint64_t shards_speculated = 0;
  uint64_t answers_dropped = 0;

  void Describe(v1::Progress* progress) const;

  // To and from a checkpoint's metadata. What is missing there (a file of an older
  // server) is 0.
  void Save(std::map<std::string, std::string>* metadata) const;
  void Load(const std::map<std::string, std::string>& metadata);
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_WORK_COUNTS_H_
