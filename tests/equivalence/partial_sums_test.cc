// However many workers there are, and whatever becomes of them, the server holds
// O(log V) partial sums of a chunk; and that some gradients have to wait with their
// workers for it changes no bit.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"

namespace lockstep::tests {
namespace {

// 2 ceil(log2 64) + 2; a tree of 64 shards could hold 32 sums.
constexpr uint32_t kBound = 14;
// With so many workers even runs of 64 shards are single shards.
constexpr int kMany = 22;

// Several chunks.
DigitsJob SplitJob(int workers) {
  DigitsJob job;
  job.name = "split";
  job.hidden = 2000;
  job.epochs = 3;
  job.shards = 64;
  job.more = absl::StrCat("workers: {min: ", workers, "}\n");
  return job;
}

void StartWorkers(Cluster& cluster, int count) {
  for (int i = 0; i < count; ++i) {
    // Every other one through shared memory.
    std::vector<std::string> flags;
    if (i % 2 == 0) flags = {"--shared-memory", "off"};
    cluster.StartWorker(absl::StrCat("worker-", i), flags);
  }
  cluster.WaitForWorkers(count);
}

std::string HashOnOne() {
  Cluster cluster;
  StartWorkers(cluster, 1);
  const std::string id = cluster.Submit(WriteDigitsJob(cluster.folder(), SplitJob(1)));
  return cluster.WaitForState(id, v1::SUCCEEDED).model_sha256();
}

// The job's hash, and then of one like it that goes on how many sums were held.
void ExpectOneHashAndFewSums(const DigitsJob& job, int workers) {
  Cluster cluster;
  StartWorkers(cluster, workers);
  const std::string id = cluster.Submit(WriteDigitsJob(cluster.folder(), job));
  const v1::Job done = cluster.WaitForState(id, v1::SUCCEEDED);
  EXPECT_EQ(done.model_sha256(), HashOnOne());
  EXPECT_EQ(done.progress().ledger().lost() + done.progress().ledger().twice(), 0u);
  DigitsJob endless = job;
  endless.name = "endless";
  endless.epochs = 100000;
  const std::string going = cluster.Submit(WriteDigitsJob(cluster.folder(), endless));
  const v1::Job now = cluster.WaitForStep(going, 30);
  EXPECT_GT(now.progress().most_partial_sums(), 1u);
  EXPECT_LE(now.progress().most_partial_sums(), kBound);
}

TEST(PartialSumsTest, ManyWorkersGiveTheHashOfOneAndTheServerHoldsFewSums) {
  ExpectOneHashAndFewSums(SplitJob(kMany), kMany);
}

TEST(PartialSumsTest, TheSameWhereEachShardIsHandedOutByItselfOrTwice) {
  DigitsJob job = SplitJob(3);
  job.more += "audit: 0.3\ntensor_digests: {shards: true}\n";
  ExpectOneHashAndFewSums(job, 3);
}

TEST(PartialSumsTest, TheSameWhereWorkersAreKilled) {
  Cluster cluster;
  StartWorkers(cluster, kMany);
  const std::string id = cluster.Submit(WriteDigitsJob(cluster.folder(), SplitJob(1)));
  for (int i = 0; i < kMany - 2; i += 3) {
    const uint64_t step = cluster.Status(id).progress().step();
    cluster.KillWorker(absl::StrCat("worker-", i));
    // It goes on without it.
    cluster.WaitFor(id, "a further step", [step](const v1::Job& now) {
      EXPECT_LE(now.progress().most_partial_sums(), kBound);
      return now.progress().step() > step || now.state() == v1::SUCCEEDED;
    });
  }
  const v1::Job done = cluster.WaitForState(id, v1::SUCCEEDED);
  EXPECT_EQ(done.model_sha256(), HashOnOne());
}

}  // namespace
}  // namespace lockstep::tests
