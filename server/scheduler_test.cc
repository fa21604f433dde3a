#include "server/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace lockstep::server {
namespace {

using Counts = std::map<std::string, int>;

Counts CountByJob(const std::vector<WorkerAssignment>& assignments) {
  Counts counts;
  for (const auto& assignment : assignments) ++counts[assignment.job_id];
  return counts;
}

TEST(SchedulerTest, JobsOfOnePriorityShareEvenly) {
  const auto decision =
      Schedule({{"job-1", 1, 8, {}, {}}, {"job-2", 1, 8, {}, {}}}, {"a", "b", "c"});
  EXPECT_EQ(CountByJob(decision.assignments), (Counts{{"job-1", 2}, {"job-2", 1}}));
  EXPECT_TRUE(decision.releases.empty());
}

TEST(SchedulerTest, JobsRunSideBySideWithinTheirMaximum) {
  const auto decision =
      Schedule({{"job-1", 1, 1, {}, {}}, {"job-2", 1, 8, {}, {}}}, {"a", "b", "c"});
  EXPECT_EQ(CountByJob(decision.assignments), (Counts{{"job-1", 1}, {"job-2", 2}}));
}

TEST(SchedulerTest, AJobWhoseMinimumIsNotThereLeavesWorkersToOthers) {
  const auto decision = Schedule({{"job-1", 3, 8, {}, {}}, {"job-2", 1, 8, {}, {}}}, {"a", "b"});
  EXPECT_EQ(CountByJob(decision.assignments), (Counts{{"job-2", 2}}));
}

TEST(SchedulerTest, ANewWorkerJoinsTheRunningJob) {
  const auto decision = Schedule({{"job-1", 1, 8, {"a", "b"}, {}}}, {"c"});
  EXPECT_EQ(CountByJob(decision.assignments), (Counts{{"job-1", 1}}));
}

TEST(SchedulerTest, ANewJobGetsItsShareOfARunningOnes) {
  const auto decision =
      Schedule({{"job-1", 1, 8, {"a", "b", "c", "d"}, {}}, {"job-2", 1, 8, {}, {}}}, {});
  EXPECT_EQ(CountByJob(decision.releases), (Counts{{"job-1", 2}}));
  EXPECT_TRUE(decision.assignments.empty()) << "not before they are idle";
}

TEST(SchedulerTest, WorkersOnTheirWayAreNotAskedForTwice) {
  const auto decision =
      Schedule({{"job-1", 1, 8, {"a", "b"}, {}}, {"job-2", 1, 8, {}, {}}}, {}, {"c", "d"});
  EXPECT_TRUE(decision.releases.empty());
}

TEST(SchedulerTest, HigherPriorityTakesAllButTheMinimumOfLower) {
  const auto decision =
      Schedule({{"job-1", 1, 8, {"a", "b", "c", "d"}, {}}, {"job-2", 1, 8, {}, {}, 5}}, {});
  EXPECT_EQ(CountByJob(decision.releases), (Counts{{"job-1", 3}}));
}

TEST(SchedulerTest, LowerPriorityWaitsWhereItsMinimumIsNotLeft) {
  const auto decision = Schedule({{"job-1", 2, 8, {"a", "b"}, {}}, {"job-2", 1, 8, {}, {}, 5}}, {});
  EXPECT_EQ(CountByJob(decision.releases), (Counts{{"job-1", 2}}));
}

TEST(SchedulerTest, AWaitingJobDoesNotTakeAnOlderOnesMinimum) {
  const auto decision = Schedule({{"job-1", 2, 8, {"a", "b"}, {}}, {"job-2", 1, 8, {}, {}}}, {});
  EXPECT_TRUE(decision.releases.empty());
}

TEST(SchedulerTest, AFairShareMovesNobody) {
  const auto decision = Schedule({{"job-1", 1, 8, {"a"}, {}}, {"job-2", 1, 8, {"b", "c"}, {}}}, {});
  EXPECT_TRUE(decision.releases.empty()) << "the odd worker stays where it is";
}

TEST(SchedulerTest, ARefusingWorkerIsNotAskedAgain) {
  const auto assignments =
      Schedule({{"job-1", 1, 8, {}, {"a"}}, {"job-2", 1, 1, {}, {}}}, {"a", "b"}).assignments;
  ASSERT_EQ(assignments.size(), 2);
  EXPECT_EQ(assignments[0].worker, "b");
  EXPECT_EQ(assignments[0].job_id, "job-1");
  EXPECT_EQ(assignments[1].worker, "a");
}

TEST(SchedulerTest, AWorkerThatFewCanUseGoesToWhoCan) {
  const auto assignments =
      Schedule({{"job-1", 1, 1, {}, {}}, {"job-2", 1, 1, {}, {"b"}}}, {"a", "b"}).assignments;
  ASSERT_EQ(assignments.size(), 2);
  EXPECT_EQ(assignments[0].worker, "b");
  EXPECT_EQ(assignments[1].worker, "a");
}

TEST(SchedulerTest, NothingToDo) {
  EXPECT_TRUE(Schedule({}, {"a"}).assignments.empty());
  EXPECT_TRUE(Schedule({{"job-1", 1, 8, {}, {}}}, {}).assignments.empty());
  EXPECT_TRUE(Schedule({{"job-1", 1, 2, {"x", "y"}, {}}}, {"a"}).assignments.empty());
}

// Whatever comes, sharing out again and again comes to rest, within the limits.
TEST(SchedulerTest, ComesToRestFromAnyStart) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    uint32_t state = seed * 2654435761u + 1;
    const auto random = [&state](uint32_t below) {
      state = state * 1664525u + 1013904223u;
      return (state >> 16) % below;
    };
    std::vector<std::string> idle;
    for (uint32_t i = 0; i < random(12); ++i) idle.push_back(std::string(1, 'a' + i));
    const size_t workers = idle.size();
    std::vector<SchedulableJob> jobs;
    for (uint32_t i = 0; i < 1 + random(5); ++i) {
      const uint32_t least = 1 + random(3);
      jobs.push_back({"job-" + std::to_string(i),
                      least,
                      least + random(5),
                      {},
                      {},
                      static_cast<int32_t>(random(3))});
      while (!idle.empty() && random(2) == 0) {
        jobs.back().workers.insert(idle.back());
        idle.pop_back();
      }
    }
    int rounds = 0;
    for (; rounds < 30; ++rounds) {
      const ScheduleDecision decision = Schedule(jobs, idle);
      if (decision.assignments.empty() && decision.releases.empty()) break;
      for (SchedulableJob& job : jobs) {
        for (const auto& given : decision.assignments) {
          if (given.job_id != job.job_id) continue;
          job.workers.insert(given.worker);
          idle.erase(std::find(idle.begin(), idle.end(), given.worker));
        }
        for (const auto& taken : decision.releases) {
          if (taken.job_id == job.job_id && job.workers.erase(taken.worker) > 0) {
            idle.push_back(taken.worker);
          }
        }
      }
    }
    ASSERT_LT(rounds, 30) << "seed " << seed;
    size_t counted = idle.size();
    for (const SchedulableJob& job : jobs) {
      counted += job.workers.size();
      ASSERT_TRUE(idle.empty() || job.workers.size() >= job.maximum_workers ||
                  job.minimum_workers > job.workers.size() + idle.size())
          << "seed " << seed << ": " << job.job_id << " could use an idle worker";
    }
    ASSERT_EQ(counted, workers) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lockstep::server
