// The same job gives the same model, bit for bit, whether gradients and
// parameters go through memory that server and workers share, through TCP, or
// some each way; and workers that die while they write to shared memory change
// nothing and leave nothing behind.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/run_lockstep.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

const std::vector<std::string> kByMemory = {"--threads", "1"};
const std::vector<std::string> kByTcp = {"--threads", "1", "--shared-memory", "off"};

// Several chunks, the last one shorter.
DigitsJob WideJob() {
  DigitsJob job;
  job.name = "wide";
  job.hidden = 2000;
  job.epochs = 4;
  return job;
}

DigitsJob LongJob() {
  DigitsJob job = WideJob();
  job.name = "long";
  job.epochs = 600;
  return job;
}

bool SharesMemory(Cluster& cluster, const std::string& worker) {
  return absl::StrContains(cluster.worker(worker).err(), "shares memory with the server");
}

// Trains `job` on workers started with these flags each, and gives its hash.
std::string HashOn(DigitsJob job, const std::vector<std::vector<std::string>>& workers) {
  // All take part from the first step on.
  absl::StrAppend(&job.more, "workers: {min: ", workers.size(), "}\n");
  Cluster cluster;
  for (size_t i = 0; i < workers.size(); ++i) {
    cluster.StartWorker(absl::StrCat("worker-", i), workers[i]);
  }
  cluster.WaitForWorkers(static_cast<int>(workers.size()));
  const std::string id = cluster.Submit(WriteDigitsJob(cluster.folder(), job));
  const v1::Job done = cluster.WaitForState(id, v1::SUCCEEDED);
  for (size_t i = 0; i < workers.size(); ++i) {
    EXPECT_EQ(SharesMemory(cluster, absl::StrCat("worker-", i)), workers[i] == kByMemory);
  }
  return done.model_sha256();
}

TEST(TransportsTest, SharedMemoryAndTcpGiveOneHash) {
  const std::string hash = HashOn(WideJob(), {kByMemory});
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(HashOn(WideJob(), {kByTcp}), hash);
  EXPECT_EQ(HashOn(WideJob(), {kByMemory, kByMemory}), hash);
  EXPECT_EQ(HashOn(WideJob(), {kByTcp, kByTcp}), hash);
  EXPECT_EQ(HashOn(WideJob(), {kByMemory, kByTcp, kByMemory}), hash) << "mixed";
}

TEST(TransportsTest, Bfloat16GivesOneHashOfItsOwn) {
  DigitsJob job = WideJob();
  const std::string float32 = HashOn(job, {kByMemory});
  job.more = "gradient_format: bfloat16\n";
  const std::string hash = HashOn(job, {kByMemory});
  EXPECT_NE(hash, float32);
  EXPECT_EQ(HashOn(job, {kByTcp}), hash);
  EXPECT_EQ(HashOn(job, {{"--threads", "2", "--shared-memory", "off"}}), hash);
  EXPECT_EQ(HashOn(job, {kByTcp, kByMemory}), hash);
  EXPECT_EQ(HashOn(job, {kByTcp, kByMemory, kByTcp}), hash);
}

TEST(TransportsTest, AServerMayRefuseSharedMemory) {
  Cluster cluster({"--shared-memory", "off"});
  cluster.StartWorker("one");
  cluster.WaitForWorkers(1);
  const std::string id = cluster.Submit(WriteDigitsJob(cluster.folder(), WideJob()));
  cluster.WaitForState(id, v1::SUCCEEDED);
  EXPECT_FALSE(SharesMemory(cluster, "one"));
}

// Regions of shared memory that the process has mapped.
size_t Regions(Process& process) {
  std::ifstream maps(absl::StrCat("/proc/", process.pid(), "/maps"));
  std::set<std::string> inodes;
  for (std::string line; std::getline(maps, line);) {
    if (absl::StrContains(line, "/memfd:lockstep")) {
      const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
      inodes.insert(fields[4]);
    }
  }
  return inodes.size();
}

TEST(TransportsTest, KilledWorkersLeaveNothingBehind) {
  LoggedFolder folder;
  const std::string calm = TrainedHash(folder, WriteDigitsJob(folder, LongJob()), "calm",
                                       {"--workers", "1", "--threads", "1"});
  Cluster cluster;
  cluster.StartWorker("steady", kByMemory);
  cluster.WaitForWorkers(1);
  const std::string id = cluster.Submit(WriteDigitsJob(cluster.folder(), LongJob()));
  cluster.WaitForStep(id, 20);
  for (int i = 0; i < 4; ++i) {
    const std::string name = absl::StrCat("victim-", i);
    cluster.StartWorker(name, i % 3 == 2 ? kByTcp : kByMemory);
    cluster.WaitForWorkers(2);
    const uint64_t step = cluster.Status(id).progress().step();
    cluster.WaitForStep(id, step + 20);
    cluster.KillWorker(name);
    cluster.WaitForWorkers(1);
  }
  const v1::Job done = cluster.WaitForState(id, v1::SUCCEEDED);
  EXPECT_EQ(done.model_sha256(), calm);
  // The steady worker's channel and gradients, and versions of the parameters.
  WaitUntil("a server without the victims' memory", [&] { return Regions(cluster.server()) <= 8; });
}

}  // namespace
}  // namespace lockstep::tests
