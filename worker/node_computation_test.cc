#include "worker/node_computation.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engine/kernels/optimizer_update.h"
#include "engine/model/build_model.h"
#include "engine/model/build_optimizer.h"
#include "engine/model/job_spec.h"
#include "engine/optim/parameter_updater.h"

namespace lockstep::worker {
namespace {

// 29 examples of 5 features in 3 classes, made by a formula.
std::string WriteCsv() {
  const char* folder = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/examples.csv";
  std::ofstream file(path);
  for (int row = 0; row < 29; ++row) {
    for (int column = 0; column < 5; ++column) file << (row * 7 + column * 13) % 11 << ",";
    file << row % 3 << "\n";
  }
  return path;
}

v1::JobSpec Spec(int shards, uint32_t batch_size) {
  v1::JobSpec spec;
  spec.set_name("node");
  spec.set_seed(4);
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path(WriteCsv());
  spec.mutable_data()->set_validation_fraction(0.2);
  spec.mutable_data()->mutable_scaling()->set_divide_by(11);
  spec.add_model()->mutable_linear()->set_out_features(24);
  spec.add_model()->mutable_relu();
  spec.add_model()->mutable_linear()->set_out_features(6);
  spec.add_model()->mutable_tanh();
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_adam();
  spec.set_epochs(2);
  spec.set_batch_size(batch_size);
  spec.set_shards(static_cast<uint32_t>(shards));
  FillJobDefaults(&spec);
  return spec;
}

// Small, so that chunks hold several parameters and parameters span chunks.
constexpr int64_t kChunk = 64;

struct Job {
  explicit Job(v1::JobSpec spec, std::optional<ShardStrategy> strategy = std::nullopt) {
    const auto loaded = JobData::Load(spec);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    *spec.mutable_data_summary() = (*loaded)->Summary();
    auto made = NodeComputation::Create(spec, *loaded, kChunk, {}, strategy);
    EXPECT_TRUE(made.ok()) << made.status();
    computation = *std::move(made);
    const auto model = BuildModel(spec, (*loaded)->example_shape());
    computation->SetParameters(nn::CopyParameters(**model, computation->layout()));
  }

  struct Result {
    std::vector<float> gradient;
    NodeLosses losses;
  };

  Result Train(uint64_t step, ShardNode node) {
    const int64_t total = computation->layout().total_elements();
    Result result;
    result.gradient.assign(total, -1000.0f);
    std::vector<int> seen((total + kChunk - 1) / kChunk, 0);
    const auto losses = computation->Train(step, node, [&](int chunk, const Tensor& values) {
      ++seen[chunk];
      std::copy_n(values.data<float>(), values.element_count(),
                  result.gradient.begin() + chunk * kChunk);
    });
    EXPECT_TRUE(losses.ok()) << losses.status();
    for (int count : seen) EXPECT_EQ(count, 1);
    result.losses = *losses;
    return result;
  }

  std::unique_ptr<NodeComputation> computation;
};

// The node by its definition: leaves added in the tree's order.
Job::Result ByTree(Job& job, uint64_t step, ShardNode node) {
  if (node.size() == 1) return job.Train(step, node);
  const int middle = ShardTreeMiddle(node);
  Job::Result left = ByTree(job, step, {node.first, middle});
  const Job::Result right = ByTree(job, step, {middle, node.end});
  kernels::AddInPlace(absl::MakeSpan(left.gradient), right.gradient);
  left.losses.loss_sum += right.losses.loss_sum;
  left.losses.predictions += right.losses.predictions;
  left.losses.correct += right.losses.correct;
  left.losses.examples += right.losses.examples;
  return left;
}

void ExpectSame(const Job::Result& a, const Job::Result& b) {
  EXPECT_EQ(a.gradient, b.gradient);
  EXPECT_EQ(a.losses.loss_sum, b.losses.loss_sum);
  EXPECT_EQ(a.losses.predictions, b.losses.predictions);
  EXPECT_EQ(a.losses.correct, b.losses.correct);
  EXPECT_EQ(a.losses.examples, b.losses.examples);
}

TEST(NodeComputationTest, AWholeNodeIsTheTreeOverItsShards) {
  for (int shards : {1, 2, 3, 6, 8}) {
    // The last step of an epoch of 23 examples has 5: some shards are empty.
    for (uint32_t batch_size : {23u, 6u, 9u}) {
      SCOPED_TRACE(testing::Message() << shards << " shards, batches of " << batch_size);
      Job whole(Spec(shards, batch_size), ShardStrategy::kWholeNode);
      Job one_by_one(Spec(shards, batch_size), ShardStrategy::kShardByShard);
      Job per_thread(Spec(shards, batch_size), ShardStrategy::kShardPerThread);
      const uint64_t last = whole.computation->plan().steps_per_epoch - 1;
      for (uint64_t step : {uint64_t{0}, last}) {
        const Job::Result tree = ByTree(whole, step, {0, shards});
        ExpectSame(whole.Train(step, {0, shards}), tree);
        ExpectSame(one_by_one.Train(step, {0, shards}), tree);
        for (int threads : {2, 3}) {
          omp_set_num_threads(threads);
          ExpectSame(per_thread.Train(step, {0, shards}), tree);
        }
      }
    }
  }
}

// Three labels for three outputs.
v1::JobSpec SeveralLabels(const std::string& loss) {
  v1::JobSpec spec = Spec(6, 9);
  v1::CsvSource* csv = spec.mutable_data()->mutable_train()->mutable_csv();
  csv->clear_label_column();
  for (const char* column : {"4", "-1", "0"}) csv->add_label_columns(column);
  spec.clear_loss();
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(loss, spec.mutable_loss()));
  FillJobDefaults(&spec);
  return spec;
}

TEST(NodeComputationTest, EveryLossOfSeveralOutputsKeepsShardsApart) {
  for (const char* loss : {"mse {}", "l1 {}", "huber {}", "bce_with_logits {}", "hinge {}",
                           "kl_divergence {}", "cosine_embedding {}"}) {
    SCOPED_TRACE(loss);
    Job job(SeveralLabels(loss), ShardStrategy::kWholeNode);
    ExpectSame(job.Train(0, {0, 6}), ByTree(job, 0, {0, 6}));
  }
  EXPECT_EQ(Job(SeveralLabels("hinge {}")).Train(0, {0, 6}).losses.predictions, 27);
  EXPECT_EQ(Job(SeveralLabels("mse {}")).Train(0, {0, 6}).losses.predictions, 0);
}

TEST(NodeComputationTest, WeightsMultiplyLossesAndGradients) {
  const std::string path = WriteCsv() + ".weighted.csv";
  std::ifstream plain_file(WriteCsv());
  std::ofstream weighted_file(path);
  for (std::string line; std::getline(plain_file, line);) weighted_file << "4," << line << "\n";
  weighted_file.close();
  v1::JobSpec spec = Spec(6, 9);
  const Job::Result plain = Job(spec).Train(0, {0, 6});
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path(path);
  spec.mutable_data()->mutable_train()->mutable_csv()->set_weight_column("0");
  const Job::Result weighted = Job(spec).Train(0, {0, 6});
  EXPECT_EQ(weighted.losses.loss_sum, 4 * plain.losses.loss_sum);
  EXPECT_EQ(weighted.losses.correct, plain.losses.correct);
  for (size_t i = 0; i < plain.gradient.size(); ++i) {
    ASSERT_EQ(weighted.gradient[i], 4 * plain.gradient[i]) << i;
  }
}

TEST(NodeComputationTest, TryingStrategiesChangesNoBit) {
  omp_set_num_threads(2);
  Job job(Spec(8, 9));
  const Job::Result first = job.Train(0, {0, 4});
  // More runs than it takes to try all of them.
  for (int i = 0; i < 12; ++i) ExpectSame(job.Train(0, {0, 4}), first);
}

TEST(NodeComputationTest, PrefetchingChangesNothing) {
  Job job(Spec(8, 9));
  const Job::Result plain = job.Train(1, {0, 4});
  job.computation->Prefetch(1, {0, 4});
  ExpectSame(job.Train(1, {0, 4}), plain);
  job.computation->Prefetch(2, {0, 4});  // of another step
  ExpectSame(job.Train(1, {0, 4}), plain);
}

TEST(NodeComputationTest, EvaluationAddsUpOverAnyCut) {
  Job job(Spec(8, 9));
  const auto all = job.computation->Evaluate({0, 8});
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->examples, 6);
  const auto left = job.computation->Evaluate({0, 4});
  const auto right = job.computation->Evaluate({4, 8});
  EXPECT_EQ(left->loss_sum + right->loss_sum, all->loss_sum);
  EXPECT_EQ(left->correct + right->correct, all->correct);
}

v1::JobSpec LocalSpec(int shards, uint32_t batch_size, uint32_t steps) {
  v1::JobSpec spec = Spec(shards, batch_size);
  spec.mutable_consistency()->mutable_local_sgd()->set_steps(steps);
  FillJobDefaults(&spec);
  return spec;
}

TEST(LocalSgdTest, ANodeIsTheTreeOverItsShardsWhoeverComputesThem) {
  for (int shards : {1, 3, 8}) {
    // The epoch's 23 examples: whole meetings and a shorter last one, with
    // empty shards and batches.
    for (uint32_t batch_size : {4u, 6u}) {
      SCOPED_TRACE(testing::Message() << shards << " shards, batches of " << batch_size);
      Job job(LocalSpec(shards, batch_size, 3));
      const uint64_t steps = job.computation->plan().steps_per_epoch;
      for (uint64_t step = 0; step < steps; ++step) {
        ExpectSame(job.Train(step, {0, shards}), ByTree(job, step, {0, shards}));
      }
    }
  }
}

// With one shard a meeting's local steps are the steps of an ordinary training.
TEST(LocalSgdTest, LocalStepsAreTheOptimizersSteps) {
  const v1::JobSpec local_spec = LocalSpec(1, 5, 2);
  Job local(local_spec);
  Job sync(Spec(1, 5));
  const auto data = JobData::Load(local_spec);
  const nn::ParameterLayout& layout = sync.computation->layout();
  Tensor start = nn::CopyParameters(**BuildModel(local_spec, (*data)->example_shape()), layout);
  auto rules = MakeLocalRules(local_spec, layout);
  ASSERT_TRUE(rules.ok());
  optim::ParameterUpdater updater(layout, *std::move(rules));
  Tensor parameters = start.Clone();
  double loss_sum = 0;
  for (uint64_t step : {0, 1}) {
    sync.computation->SetParameters(parameters);
    const Job::Result result = sync.Train(step, {0, 1});
    loss_sum += result.losses.loss_sum;
    optim::UpdateStep update;
    update.step = step;
    update.batch_size = 5;
    update.learning_rate_factor = 0.5;
    Tensor next = Tensor::Empty(parameters.shape());
    updater.Update(update, 0, result.gradient, std::as_const(parameters).span<float>(),
                   next.span<float>());
    parameters = next;
  }
  std::vector<float> change(static_cast<size_t>(start.element_count()));
  const auto losses = local.computation->Train(
      0, {0, 1},
      [&](int chunk, const Tensor& values) {
        std::copy_n(values.data<float>(), values.element_count(), change.begin() + chunk * kChunk);
      },
      /*learning_rate_factor=*/0.5);
  ASSERT_TRUE(losses.ok());
  EXPECT_EQ(losses->loss_sum, loss_sum);
  EXPECT_EQ(losses->examples, 10u);
  for (size_t i = 0; i < change.size(); ++i) {
    const float begin = std::as_const(start).data<float>()[i];
    const float end = std::as_const(parameters).data<float>()[i];
    ASSERT_EQ(change[i], begin - end) << i;
  }
}

TEST(LocalSgdTest, AnAnomalyIsFoundInTheShardThatHasIt) {
  v1::JobSpec spec = Spec(4, 8);
  Job job(spec);
  EXPECT_EQ(job.computation->FindAnomaly(0, {0, 4}), "");
  Tensor broken = Tensor::Full(Shape{job.computation->layout().total_elements()},
                               std::numeric_limits<float>::infinity());
  job.computation->SetParameters(broken);
  job.Train(0, {0, 2});
  const std::string found = job.computation->FindAnomaly(0, {0, 2});
  EXPECT_EQ(found.rfind("shard 0: forward of ", 0), 0u) << found;
}

}  // namespace
}  // namespace lockstep::worker
