// A worker whose answers are wrong gets no more work, however often it or the server
// comes back, until it is a new process or an operator releases it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/run_lockstep.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class QuarantineTest : public ::testing::Test {
 protected:
  // Two sound workers and one that sooner or later lies; returns the job that finds it.
  std::string SubmitAuditedJob() {
    cluster_.StartWorker("first");
    cluster_.StartWorker("second");
    cluster_.StartWorker("broken",
                         {"--threads", "1", "--corrupt-shard", "0.05", "--corrupt-seed", "3"});
    cluster_.WaitForWorkers(3);
    DigitsJob spec = EndlessJob();
    spec.more = "audit: 1\n";
    return cluster_.Submit(WriteDigitsJob(cluster_.folder(), spec));
  }

  // Why the connected worker of this name is quarantined; "away": there is none.
  std::string QuarantineOf(const std::string& name) {
    const v1::ListWorkersResponse workers = cluster_.Workers();
    for (const v1::Worker& worker : workers.workers()) {
      if (worker.name() == name) return worker.quarantine();
    }
    return "away";
  }
  bool IsQuarantined(const std::string& name) {
    return QuarantineOf(name).rfind("job-1: wrong sum of ", 0) == 0;
  }
  void AwaitQuarantine() {
    ASSERT_TRUE(WaitUntil("the quarantine", [&] { return IsQuarantined("broken"); }));
  }
  static bool TakesPart(const v1::Job& job, const std::string& name) {
    return std::any_of(job.workers().begin(), job.workers().end(),
                       [&](const v1::JobWorker& worker) { return worker.name() == name; });
  }

  Cluster cluster_;
};

TEST_F(QuarantineTest, LastsOverReconnectsAndRestartsUntilItIsReleased) {
  const std::string job = SubmitAuditedJob();
  AwaitQuarantine();
  cluster_.KillServer();
  cluster_.RestartServer();
  cluster_.WaitForWorkers(3);
  EXPECT_TRUE(IsQuarantined("broken")) << QuarantineOf("broken");
  EXPECT_FALSE(TakesPart(cluster_.Status(job), "broken"));
  const CommandResult release = cluster_.Lockstep({"workers", "release", "broken"});
  EXPECT_EQ(release.exit_code, 0) << release;
  EXPECT_THAT(release.out, AllOf(HasSubstr("broken ("), HasSubstr(") is trusted again; was in "
                                                                  "quarantine: job-1: wrong sum")));
  // It gets work at once, and so is found again.
  EXPECT_TRUE(WaitUntil("work for the released one", [&] {
    return TakesPart(cluster_.Status(job), "broken") || IsQuarantined("broken");
  }));
  EXPECT_TRUE(WaitUntil("its log", [&] {
    return cluster_.worker("broken").err().find("trusted again") != std::string::npos;
  }));
  EXPECT_FALSE(cluster_.worker("broken").HasEnded());
  EXPECT_THAT(cluster_.Lockstep({"status", job}).out, HasSubstr("quarantine_lifted"));
  AwaitQuarantine();
  EXPECT_EQ(cluster_.Lockstep({"workers", "release", "nobody"}).exit_code, 4);
}

TEST_F(QuarantineTest, AReleaseIsKeptOverARestart) {
  const std::string job = SubmitAuditedJob();
  AwaitQuarantine();
  EXPECT_EQ(cluster_.Lockstep({"pause", job}).exit_code, 0);
  EXPECT_EQ(cluster_.Lockstep({"workers", "release", "broken"}).exit_code, 0);
  cluster_.KillServer();
  cluster_.RestartServer();
  cluster_.WaitForWorkers(3);
  EXPECT_EQ(QuarantineOf("broken"), "");
}

TEST_F(QuarantineTest, AFreshProcessOfTheSameNameIsTrusted) {
  const std::string job = SubmitAuditedJob();
  AwaitQuarantine();
  cluster_.KillWorker("broken");
  cluster_.WaitForWorkers(2);
  cluster_.StartWorker("broken");  // its machine has been mended
  cluster_.WaitFor(job, "work for the fresh one",
                   [](const v1::Job& now) { return TakesPart(now, "broken"); });
  EXPECT_EQ(QuarantineOf("broken"), "");
}

}  // namespace
}  // namespace lockstep::tests
