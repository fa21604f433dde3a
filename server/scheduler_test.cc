#include "server/scheduler.h"

#include <gtest/gtest.h>

#include <map>

namespace lockstep::server {
namespace {

std::map<std::string, int> CountByJob(const std::vector<WorkerAssignment>& assignments) {
  std::map<std::string, int> counts;
  for (const auto& assignment : assignments) ++counts[assignment.job_id];
  return counts;
}

TEST(SchedulerTest, TheOldestJobTakesUpToItsMaximum) {
  const auto counts =
      CountByJob(Schedule({{"job-1", 1, 8, 0, {}}, {"job-2", 1, 8, 0, {}}}, {"a", "b", "c"}));
  EXPECT_EQ(counts.at("job-1"), 2);
  EXPECT_EQ(counts.at("job-2"), 1);
}

TEST(SchedulerTest, JobsRunSideBySideWithinTheirMaximum) {
  const auto counts =
      CountByJob(Schedule({{"job-1", 1, 1, 0, {}}, {"job-2", 1, 8, 0, {}}}, {"a", "b", "c"}));
  EXPECT_EQ(counts.at("job-1"), 1);
  EXPECT_EQ(counts.at("job-2"), 2);
}

TEST(SchedulerTest, AJobWhoseMinimumIsNotThereLeavesWorkersToOthers) {
  const auto counts =
      CountByJob(Schedule({{"job-1", 3, 8, 0, {}}, {"job-2", 1, 8, 0, {}}}, {"a", "b"}));
  EXPECT_EQ(counts.count("job-1"), 0);
  EXPECT_EQ(counts.at("job-2"), 2);
}

TEST(SchedulerTest, ANewWorkerJoinsTheRunningJob) {
  const auto counts = CountByJob(Schedule({{"job-1", 1, 8, 2, {}}}, {"c"}));
  EXPECT_EQ(counts.at("job-1"), 1);
}

TEST(SchedulerTest, ARefusingWorkerIsNotAskedAgain) {
  const auto assignments =
      Schedule({{"job-1", 1, 8, 0, {"a"}}, {"job-2", 1, 1, 0, {}}}, {"a", "b"});
  ASSERT_EQ(assignments.size(), 2);
  EXPECT_EQ(assignments[0].worker, "b");
  EXPECT_EQ(assignments[0].job_id, "job-1");
  EXPECT_EQ(assignments[1].worker, "a");
}

TEST(SchedulerTest, NothingToDo) {
  EXPECT_TRUE(Schedule({}, {"a"}).empty());
  EXPECT_TRUE(Schedule({{"job-1", 1, 8, 0, {}}}, {}).empty());
  EXPECT_TRUE(Schedule({{"job-1", 1, 2, 2, {}}}, {"a"}).empty());
}

}  // namespace
}  // namespace lockstep::server
