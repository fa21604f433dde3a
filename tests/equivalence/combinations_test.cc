// One hash for each of three models over numbers of workers, threads, transports
// and shards together, and while workers join and leave at random steps. All with
// real processes.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "engine/data/testing/test_files.h"
#include "tests/testing/cluster.h"
#include "tests/testing/process.h"

namespace lockstep::tests {
namespace {

using Flags = std::vector<std::string>;

// `$0`: the number of shards. Batches leave shards of unequal size.
std::string DigitsMlp() {
  return absl::StrCat("data:\n  train:\n    csv: {path: ", Runfile("examples/digits/digits.csv"),
                      ", header: true, label_column: label}\n"
                      "  validation_fraction: 0.2\n  scaling: {divide_by: 16}\n"
                      "model: [linear: {out_features: 300}, relu, linear: {out_features: 10}]\n"
                      "loss: cross_entropy\noptimizer: {adam: {learning_rate: 0.002}}\n"
                      "seed: 3\nbatch_size: 61\nshards: $0\n");
}

std::string DigitsCnn() {
  return absl::StrCat(
      "data:\n  train:\n    csv: {path: ", Runfile("examples/digits/digits.csv"),
      ", header: true, label_column: label}\n"
      "  validation_fraction: 0.2\n  scaling: {divide_by: 16}\n"
      "model:\n  - reshape: {shape: [1, 8, 8]}\n"
      "  - conv2d: {out_channels: 6, kernel_size: 3, padding: 1}\n"
      "  - batch_norm\n  - relu\n  - max_pool: {kernel_size: 2}\n  - flatten\n"
      "  - dropout: {probability: 0.2}\n  - linear: {out_features: 10}\n"
      "loss: cross_entropy\noptimizer: {sgd: {learning_rate: 0.05, momentum: 0.9}}\n"
      "seed: 3\nbatch_size: 100\nshards: $0\n");
}

// Empty: the data are not here.
std::string FashionMnistMlp() {
  const std::string data = data::RealDataPath("fashion-mnist");
  if (data.empty()) return "";
  return absl::StrCat("data:\n  train:\n    idx: {images: ", data,
                      "/t10k-images-idx3-ubyte.gz, labels: ", data,
                      "/t10k-labels-idx1-ubyte.gz}\n  scaling: {divide_by: 255}\n"
                      "model: [flatten, linear: {out_features: 128}, relu,\n"
                      "        linear: {out_features: 10}]\n"
                      "loss: cross_entropy\noptimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}\n"
                      "seed: 3\nbatch_size: 128\nshards: $0\n");
}

Flags WorkerFlags(int threads, bool shared_memory) {
  Flags flags = {"--threads", std::to_string(threads)};
  if (!shared_memory) flags.insert(flags.end(), {"--shared-memory", "off"});
  return flags;
}

// The hash of a job on so many workers, all of which take part from the first step on.
std::string HashOn(const std::string& job, int workers, int threads, bool shared_memory) {
  Cluster cluster;
  for (int i = 0; i < workers; ++i) {
    cluster.StartWorker(absl::StrCat("worker-", i), WorkerFlags(threads, shared_memory));
  }
  cluster.WaitForWorkers(workers);
  const std::string id = cluster.Submit(
      cluster.folder().Write("job.yaml", absl::StrCat(job, "workers: {min: ", workers, "}\n")));
  const v1::Job done = cluster.WaitForState(id, v1::SUCCEEDED);
  const v1::ExampleLedger& ledger = done.progress().ledger();
  EXPECT_EQ(ledger.consumed(), ledger.total());
  EXPECT_EQ(ledger.lost() + ledger.twice(), 0u);
  return done.model_sha256();
}

void ExpectOneHash(const std::string& job, int shards) {
  const std::string text = absl::Substitute(job, shards);
  const std::string want = HashOn(text, 1, 1, true);
  ASSERT_EQ(want.size(), 64u);
  for (const int workers : {1, 2, 3, 5, 8}) {
    if (workers > shards) continue;  // as with `shards` of them
    for (const int threads : {1, 2}) {
      for (const bool shared_memory : {true, false}) {
        SCOPED_TRACE(absl::StrCat(workers, " workers, ", threads, " threads, ",
                                  shared_memory ? "shared memory" : "TCP"));
        ASSERT_EQ(HashOn(text, workers, threads, shared_memory), want);
      }
    }
  }
}

TEST(CombinationsTest, DigitsMlpWith8Shards) { ExpectOneHash(DigitsMlp() + "epochs: 3\n", 8); }
TEST(CombinationsTest, DigitsMlpWith6Shards) { ExpectOneHash(DigitsMlp() + "epochs: 3\n", 6); }
TEST(CombinationsTest, CnnWith8Shards) { ExpectOneHash(DigitsCnn() + "epochs: 2\n", 8); }
TEST(CombinationsTest, CnnWith6Shards) { ExpectOneHash(DigitsCnn() + "epochs: 2\n", 6); }
TEST(CombinationsTest, FashionMnistMlpWith8And6Shards) {
  const std::string job = FashionMnistMlp();
  if (job.empty()) GTEST_SKIP() << "LOCKSTEP_DATA_DIR is not set";
  ExpectOneHash(job + "epochs: 1\n", 8);
  ExpectOneHash(job + "epochs: 1\n", 6);
}

// ---- workers that join and leave

// A worker that joins, is asked to leave, or is killed, a random number of steps
// after the one before; by either transport and with one or two threads.
class Crowd {
 public:
  Crowd(Cluster* cluster, int seed) : cluster_(cluster), chance_(seed) {}

  int Steps(int most) { return 1 + Draw(most); }

  void Change() {
    constexpr size_t kMost = 4;
    if (present_.empty() || (present_.size() < kMost && Draw(2) == 0)) {
      const std::string name = absl::StrCat("guest-", ++guests_);
      cluster_->StartWorker(name, WorkerFlags(1 + Draw(2), Draw(2) == 0));
      present_.push_back(name);
      return;
    }
    const size_t at = Draw(static_cast<int>(present_.size()));
    if (Draw(2) == 0) {
      EXPECT_EQ(cluster_->StopWorker(present_[at]), 0);
    } else {
      cluster_->KillWorker(present_[at]);
    }
    present_.erase(present_.begin() + at);
  }

 private:
  int Draw(int end) { return static_cast<int>(chance_() % end); }

  Cluster* const cluster_;
  std::mt19937 chance_;
  int guests_ = 0;
  std::vector<std::string> present_;
};

// Seeds: 1, 2. A steady worker keeps the job going.
void ExpectOneHashOfCrowds(const std::string& job) {
  const std::string want = HashOn(absl::Substitute(job, 8), 1, 2, true);
  for (const int seed : {1, 2}) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Cluster cluster;
    Crowd crowd(&cluster, seed);
    cluster.StartWorker("steady");
    cluster.WaitForWorkers(1);
    const std::string id =
        cluster.Submit(cluster.folder().Write("job.yaml", absl::Substitute(job, 8)));
    uint64_t step = 0;
    int changes = 0;
    while (changes < 10) {
      step += crowd.Steps(150);
      const v1::Job now = cluster.WaitFor(id, "the next change", [step](const v1::Job& seen) {
        return seen.progress().step() > step || seen.state() == v1::SUCCEEDED;
      });
      if (now.state() == v1::SUCCEEDED) break;
      step = now.progress().step();
      crowd.Change();
      ++changes;
    }
    EXPECT_GE(changes, 3) << "the job was too short";
    const v1::Job done = cluster.WaitForState(id, v1::SUCCEEDED);
    EXPECT_EQ(done.model_sha256(), want);
    const v1::ExampleLedger& ledger = done.progress().ledger();
    EXPECT_EQ(ledger.consumed(), ledger.total());
    EXPECT_EQ(ledger.lost() + ledger.twice(), 0u);
  }
}

TEST(CombinationsTest, DigitsMlpWhileWorkersJoinAndLeave) {
  ExpectOneHashOfCrowds(DigitsMlp() + "epochs: 250\n");
}
TEST(CombinationsTest, CnnWhileWorkersJoinAndLeave) {
  ExpectOneHashOfCrowds(DigitsCnn() + "epochs: 150\n");
}
TEST(CombinationsTest, FashionMnistMlpWhileWorkersJoinAndLeave) {
  const std::string job = FashionMnistMlp();
  if (job.empty()) GTEST_SKIP() << "LOCKSTEP_DATA_DIR is not set";
  ExpectOneHashOfCrowds(job + "epochs: 30\n");
}

}  // namespace
}  // namespace lockstep::tests
