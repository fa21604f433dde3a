// One epoch of a multilayer perceptron on the whole of Fashion-MNIST: one hash
// on any workers and threads. Skipped without $LOCKSTEP_DATA_DIR/fashion-mnist.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "engine/data/testing/test_files.h"
#include "tests/testing/json.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

constexpr char kJob[] = R"(
name: fashion-mnist
seed: 1
data:
  train:
    idx:
      images: $0/train-images-idx3-ubyte.gz
      labels: $0/train-labels-idx1-ubyte.gz
  validation:
    idx:
      images: $0/t10k-images-idx3-ubyte.gz
      labels: $0/t10k-labels-idx1-ubyte.gz
  scaling: {divide_by: 255}
model:
  - flatten
  - linear: {out_features: 128}
  - relu
  - linear: {out_features: 10}
loss: cross_entropy
optimizer:
  sgd: {learning_rate: 0.1, momentum: 0.9}
epochs: 1
batch_size: 128
)";

TEST(FashionMnistTest, OneHashOnAnyWorkersAndThreads) {
  const std::string data = data::RealDataPath("fashion-mnist");
  if (data.empty()) GTEST_SKIP() << "LOCKSTEP_DATA_DIR is not set";
  LoggedFolder folder;
  const std::string job = folder.Write("job.yaml", absl::Substitute(kJob, data));
  const std::string hash = TrainedHash(folder, job, "calm", {"--workers", "1", "--threads", "1"});
  EXPECT_EQ(TrainedHash(folder, job, "threads", {"--workers", "1", "--threads", "2"}), hash);
  EXPECT_EQ(TrainedHash(folder, job, "workers", {"--workers", "2", "--threads", "1"}), hash);

  const std::vector<google::protobuf::Struct> metrics =
      ParseJsonLines(data::ReadTestFile(folder.PathOf("calm/metrics.jsonl")));
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_GT(NumberOf(metrics[0], "validation_accuracy"), 0.8) << "it learns";
}

}  // namespace
}  // namespace lockstep::tests
