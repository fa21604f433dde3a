#include "server/scheduler.h"

#include <algorithm>
#include <list>

namespace lockstep::server {

std::vector<WorkerAssignment> Schedule(const std::vector<SchedulableJob>& jobs_by_age,
                                       const std::vector<std::string>& idle_workers) {
  std::vector<WorkerAssignment> assignments;
  std::list<std::string> idle(idle_workers.begin(), idle_workers.end());
  const auto usable = [&idle](const SchedulableJob& job) {
    return std::count_if(idle.begin(), idle.end(), [&job](const std::string& worker) {
      return job.refused_by.count(worker) == 0;
    });
  };
  const auto take = [&](const SchedulableJob& job, uint32_t count) {
    for (auto it = idle.begin(); it != idle.end() && count > 0;) {
      if (job.refused_by.count(*it) > 0) {
        ++it;
        continue;
      }
      assignments.push_back({*it, job.job_id});
      it = idle.erase(it);
      --count;
    }
  };
  std::vector<uint32_t> present;
  for (const SchedulableJob& job : jobs_by_age) {
    present.push_back(job.present_workers);
    if (job.present_workers >= job.minimum_workers) continue;
    const uint32_t missing = job.minimum_workers - job.present_workers;
    if (usable(job) < missing) continue;
    take(job, missing);
    present.back() = job.minimum_workers;
  }
  for (size_t i = 0; i < jobs_by_age.size(); ++i) {
    const SchedulableJob& job = jobs_by_age[i];
    if (present[i] < job.minimum_workers || present[i] >= job.maximum_workers) continue;
    take(job, job.maximum_workers - present[i]);
  }
  return assignments;
}

}  // namespace lockstep::server
