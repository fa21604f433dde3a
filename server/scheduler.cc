#include "server/scheduler.h"

#include <algorithm>
#include <map>

namespace lockstep::server {
namespace {

using Names = std::vector<std::string>;

// How many of the workers have not refused the job.
size_t CountUsable(const SchedulableJob& job, const Names& workers) {
  return std::count_if(workers.begin(), workers.end(), [&job](const std::string& worker) {
    return job.refused_by.count(worker) == 0;
  });
}

// Jobs by falling priority; among equals the oldest first.
std::vector<const SchedulableJob*> ByPriority(const std::vector<SchedulableJob>& jobs_by_age) {
  std::vector<const SchedulableJob*> jobs;
  for (const SchedulableJob& job : jobs_by_age) jobs.push_back(&job);
  std::stable_sort(jobs.begin(), jobs.end(), [](const SchedulableJob* a, const SchedulableJob* b) {
    return a->priority > b->priority;
  });
  return jobs;
}

// How many workers each job should have; `jobs` by priority, `all` the workers.
std::map<const SchedulableJob*, size_t> Targets(const std::vector<const SchedulableJob*>& jobs,
                                                const Names& all) {
  std::map<const SchedulableJob*, size_t> targets;
  std::map<const SchedulableJob*, size_t> most;
  size_t left = all.size();
  for (const SchedulableJob* job : jobs) {
    most[job] = std::min<size_t>(job->maximum_workers, CountUsable(*job, all));
    const bool runs = job->minimum_workers <= std::min(left, most[job]);
    targets[job] = runs ? job->minimum_workers : 0;
    left -= targets[job];
  }
  while (left > 0) {
    const SchedulableJob* next = nullptr;
    for (const SchedulableJob* job : jobs) {
      if (targets[job] == 0 || targets[job] >= most[job]) continue;
      if (next == nullptr) next = job;
      if (job->priority != next->priority) break;
      // Of equals the one that has the worker already: nobody moves then.
      const bool has_more = job->workers.size() > targets[job];
      const bool next_has_more = next->workers.size() > targets[next];
      const bool fewer = targets[job] < targets[next];
      if (fewer || (targets[job] == targets[next] && has_more && !next_has_more)) next = job;
    }
    if (next == nullptr) break;
    ++targets[next];
    --left;
  }
  return targets;
}

// The idle worker for `job` that the fewest others could use; end: none.
Names::iterator BestFor(const SchedulableJob& job, const std::vector<const SchedulableJob*>& jobs,
                        Names& idle) {
  auto best = idle.end();
  int64_t most_refusals = -1;
  for (auto worker = idle.begin(); worker != idle.end(); ++worker) {
    if (job.refused_by.count(*worker) > 0) continue;
    const int64_t refusals = std::count_if(
        jobs.begin(), jobs.end(),
        [&worker](const SchedulableJob* other) { return other->refused_by.count(*worker) > 0; });
    if (refusals > most_refusals) {
      best = worker;
      most_refusals = refusals;
    }
  }
  return best;
}

}  // namespace

ScheduleDecision Schedule(const std::vector<SchedulableJob>& jobs_by_age,
                          const std::vector<std::string>& idle_workers,
                          const std::vector<std::string>& leaving_workers) {
  const std::vector<const SchedulableJob*> jobs = ByPriority(jobs_by_age);
  Names all = idle_workers;
  all.insert(all.end(), leaving_workers.begin(), leaving_workers.end());
  for (const SchedulableJob* job : jobs) {
    all.insert(all.end(), job->workers.begin(), job->workers.end());
  }
  const std::map<const SchedulableJob*, size_t> targets = Targets(jobs, all);
  ScheduleDecision decision;
  Names idle = idle_workers;
  Names coming = leaving_workers;
  std::vector<const SchedulableJob*> short_of;  // once for each worker that is missing
  for (const SchedulableJob* job : jobs) {
    for (size_t have = job->workers.size(); have < targets.at(job); ++have) {
      const auto worker = BestFor(*job, jobs, idle);
      if (worker != idle.end()) {
        decision.assignments.push_back({*worker, job->job_id});
        idle.erase(worker);
        continue;
      }
      const auto soon = BestFor(*job, jobs, coming);
      if (soon != coming.end()) {
        coming.erase(soon);
      } else {
        short_of.push_back(job);
      }
    }
  }
  // From those of the lowest priority first.
  for (auto giver = jobs.rbegin(); giver != jobs.rend(); ++giver) {
    size_t have = (*giver)->workers.size();
    for (auto worker = (*giver)->workers.rbegin(); worker != (*giver)->workers.rend(); ++worker) {
      if (have <= targets.at(*giver)) break;
      const auto taker = std::find_if(
          short_of.begin(), short_of.end(),
          [&worker](const SchedulableJob* job) { return job->refused_by.count(*worker) == 0; });
      if (taker == short_of.end()) continue;
      short_of.erase(taker);
      decision.releases.push_back({*worker, (*giver)->job_id});
      --have;
    }
  }
  return decision;
}

}  // namespace lockstep::server
