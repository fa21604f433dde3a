// Which worker works for which job: a pure decision.
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
  // The workers that it has, without those that are leaving it.
  std::set<std::string> workers;
  // Workers that have said they cannot work for it.
  std::set<std::string> refused_by;
  int32_t priority = 0;
};

struct WorkerAssignment {
  std::string worker;
  std::string job_id;
};

struct ScheduleDecision {
  // Idle workers and who gets them.
  std::vector<WorkerAssignment> assignments;
  // Workers that a job gives up after its present step, so that others can be
  // given them once they are idle.
  std::vector<WorkerAssignment> releases;
};

// Policy. All workers (of jobs, idle, leaving) are shared out anew:
//   1. By priority, then in order of submission, each job gets its minimum,
//      where there are so many left; else it waits, and later ones may run.
//   2. What is left goes to the jobs that run, up to their maximum: first to
//      those of the highest priority, and among equals always to the one with
//      the fewest.
// So a job of higher priority takes workers from those of lower priority, which
// keep their minimum or wait; jobs of one priority share evenly. Workers move
// only where another job is short of one, and as few as that takes.
// `leaving`: workers that have been released and are not idle yet.
ScheduleDecision Schedule(const std::vector<SchedulableJob>& jobs_by_age,
                          const std::vector<std::string>& idle_workers,
                          const std::vector<std::string>& leaving_workers = {});

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SCHEDULER_H_
