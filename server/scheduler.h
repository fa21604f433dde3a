// Which idle worker works for which job: a pure decision.
#ifndef LOCKSTEP_SERVER_SCHEDULER_H_
#define LOCKSTEP_SERVER_SCHEDULER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace lockstep::server {

struct SchedulableJob {
  std::string job_id;
  uint32_t minimum_workers = 1;
  uint32_t maximum_workers = 1;
  uint32_t present_workers = 0;
  // Workers that have said they cannot work for it.
  std::set<std::string> refused_by;
};

struct WorkerAssignment {
  std::string worker;
  std::string job_id;
};

// Policy: first come, first served. In order of submission each job is brought
// up to its minimum, where the idle workers suffice for that (else a later job
// may use them); what is left goes, again in that order, to jobs that have
// their minimum, up to their maximum.
std::vector<WorkerAssignment> Schedule(const std::vector<SchedulableJob>& jobs_by_age,
                                       const std::vector<std::string>& idle_workers);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SCHEDULER_H_
