// "No malloc in a steady-state step": after the first steps of a training, which
// fill the caches, a step of every family of models calls malloc not once.
// In one process (optim::TrainingStep) and on a worker (NodeComputation, by
// each of its strategies, with the gathering of its examples).
#include <google/protobuf/text_format.h>
#include <omp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/autograd/variable.h"
#include "engine/data/testing/test_files.h"
#include "engine/model/build_model.h"
#include "engine/model/build_optimizer.h"
#include "engine/model/job_data.h"
#include "engine/model/job_spec.h"
#include "engine/nn/loss.h"
#include "engine/nn/training_scope.h"
#include "engine/optim/training_step.h"
#include "gtest/gtest.h"
#include "tests/steady_state/allocation_watch.h"
#include "worker/node_computation.h"

namespace lockstep::tests {
namespace {

constexpr int kWarmUpSteps = 5;
constexpr int kWatchedSteps = 6;
constexpr int kMostAttempts = 15;
constexpr int kShards = 4;

struct Family {
  const char* name;
  const char* model;  // of the job's text form
  int features;       // of an example; 0: text
  int batch_size;
};

void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

// Large enough for every kernel to share its work among threads.
const Family kFamilies[] = {
    {"mlp", "model { mlp { hidden: 512 hidden: 256 } }", 784, 128},
    {"cnn", R"(
       model { reshape { shape: [1, 28, 28] } }
       model { conv2d { out_channels: 16 kernel_size: 3 padding: 1 } } model { relu {} }
       model { max_pool { kernel_size: 2 } }
       model { conv2d { out_channels: 32 kernel_size: 3 padding: 1 } } model { relu {} }
       model { max_pool { kernel_size: 2 } } model { flatten {} } model { dropout {} }
       model { linear { out_features: 128 } } model { relu {} }
       model { linear { out_features: 10 } })",
     784, 32},
    {"resnet", "model { reshape { shape: [3, 16, 16] } } model { resnet { depth: 8 width: 16 } }",
     768, 16},
    {"gpt", "model { gpt { layers: 2 heads: 4 width: 64 dropout: 0.1 } }", 0, 8},
    {"lstm", "model { lstm_lm { embedding_dim: 32 hidden_size: 64 layers: 2 dropout: 0.1 } }", 0,
     16},
};

std::string Images(int features) {
  std::string text;
  for (int row = 0; row < 3 * 128; ++row) {
    for (int i = 0; i < features; ++i) absl::StrAppend(&text, (row * 7 + i * 13) % 11, ",");
    absl::StrAppend(&text, row % 10, "\n");
  }
  return text;
}

std::string Text() {
  std::string text;
  // A window more than the labels of the last need; no epoch has a smaller last batch.
  for (int i = 0; i <= 64 * 128; ++i) text += static_cast<char>('a' + i * i % 23);
  return text;
}

// Where the example files are, for as long as the data is loaded.
struct Job {
  data::TestFolder folder;
  v1::JobSpec spec;
  std::shared_ptr<const JobData> data;
};

void Load(const Family& family, const std::string& optimizer, Job* job) {
  const std::string path =
      job->folder.Write("examples", family.features > 0 ? Images(family.features) : Text());
  const std::string source =
      absl::StrCat(family.features > 0 ? "csv {" : "text { context: 64 tokens { characters {} }",
                   " path: \"", path, "\" }");
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat("name: 'steady' seed: 3 epochs: 50 batch_size: ", family.batch_size,
                   " shards: ", kShards, " loss { cross_entropy {} } optimizer { ", optimizer,
                   " } data { train { ", source, " } } ", family.model),
      &job->spec));
  FillJobDefaults(&job->spec);
  auto data = JobData::Load(job->spec);
  ASSERT_TRUE(data.ok()) << data.status();
  job->data = *std::move(data);
  *job->spec.mutable_data_summary() = job->data->Summary();
}

// That steps after the first ones allocate nothing. `step` does the next one.
// With several threads, how much lives at once hangs on who is how fast: the
// caches may take some more steps to have seen the most of it.
void ExpectSteady(const std::string& what, int threads, const std::function<void()>& step) {
  for (int i = 0; i < kWarmUpSteps; ++i) step();
  Allocations seen;
  for (int attempt = 0; attempt < (threads == 1 ? 1 : kMostAttempts); ++attempt) {
    seen = WatchAllocations([&] {
      for (int i = 0; i < kWatchedSteps; ++i) step();
    });
    if (seen.calls == 0) break;
  }
  EXPECT_EQ(seen.calls, 0) << what << ", " << threads << " threads: calls of malloc in "
                           << kWatchedSteps << " steps\n"
                           << seen.stacks;
}

class ModelsTest : public testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    if (!CanWatchAllocations()) GTEST_SKIP() << "a sanitizer has a malloc of its own";
  }
};

void TrainInOneProcess(const Family& family, const std::string& optimizer) {
  Job job;
  ASSERT_NO_FATAL_FAILURE(Load(family, optimizer, &job));
  const auto& [folder, spec, data] = job;
  const auto model = BuildModel(spec, data->example_shape());
  ASSERT_TRUE(model.ok()) << model.status();
  auto rules = MakeUpdateRules(spec, nn::ParameterLayout::Of(**model));
  ASSERT_TRUE(rules.ok()) << rules.status();
  optim::TrainingStep training(**model, *std::move(rules));
  const data::Batch batch = data->TrainingBatch(0, 0, family.batch_size);
  const nn::CrossEntropy loss;
  const Tensor ones = Tensor::Full(Shape{family.batch_size}, 1);
  for (int threads : {1, 2}) {
    omp_set_num_threads(threads);
    ExpectSteady(optimizer, threads, [&] {
      const nn::TrainingScope scope({/*key=*/1, training.step(), /*first_example=*/0});
      const autograd::Variable outputs = (*model)->Forward(autograd::Variable(batch.features));
      loss.Forward(outputs, batch.labels).losses.Backward(ones);
      training.Apply(family.batch_size);
    });
  }
}

TEST_P(ModelsTest, AStepInOneProcessAllocatesNothing) {
  TrainInOneProcess(GetParam(), "adam { weight_decay: 0.01 }");
}

TEST_P(ModelsTest, AWorkersStepAllocatesNothing) {
  using worker::ShardStrategy;
  Job job;
  ASSERT_NO_FATAL_FAILURE(Load(GetParam(), "sgd { learning_rate: 0.01 momentum: 0.9 }", &job));
  const auto& [folder, spec, data] = job;
  for (ShardStrategy strategy :
       {ShardStrategy::kWholeNode, ShardStrategy::kShardByShard, ShardStrategy::kShardPerThread}) {
    auto made = worker::NodeComputation::Create(spec, data, /*chunk_elements=*/65536, {}, strategy);
    ASSERT_TRUE(made.ok()) << made.status();
    worker::NodeComputation& computation = **made;
    const auto model = BuildModel(spec, data->example_shape());
    computation.SetParameters(nn::CopyParameters(**model, computation.layout()));
    double sum = 0;
    const worker::NodeComputation::ChunkHandler on_chunk = [&](int, const Tensor& values) {
      sum += static_cast<double>(values.data<float>()[0]);
    };
    uint64_t step = 0;
    for (int threads : {1, 2}) {
      omp_set_num_threads(threads);
      ExpectSteady(absl::StrCat("strategy ", static_cast<int>(strategy)), threads, [&] {
        const auto losses = computation.Train(step, {0, kShards}, on_chunk);
        EXPECT_TRUE(losses.ok());
        computation.Prefetch(++step, {0, kShards});
      });
    }
  }
}

TEST(SteadyStateTest, NoOptimizersStepAllocates) {
  if (!CanWatchAllocations()) GTEST_SKIP() << "a sanitizer has a malloc of its own";
  const Family small = {"small", "model { mlp { hidden: 40 } }", 30, 16};
  for (const char* optimizer :
       {"sgd { learning_rate: 0.01 nesterov: true momentum: 0.9 }", "adam { amsgrad: true }",
        "adamw {}", "rmsprop { centered: true momentum: 0.9 }", "adagrad {}", "adadelta {}",
        "lamb {}", "lion {}", "muon {}"}) {
    TrainInOneProcess(small, absl::StrCat(optimizer, " } gradient_clipping { max_norm: 1"));
  }
}

__attribute__((noinline)) void KeepATensor(std::unique_ptr<Tensor>* kept) {
  *kept = std::make_unique<Tensor>();
}

// What this test stands on: a program that allocates is found, and by its name.
TEST(AllocationWatchTest, NamesWhoAllocates) {
  if (!CanWatchAllocations()) GTEST_SKIP() << "a sanitizer has a malloc of its own";
  std::unique_ptr<Tensor> kept;
  const Allocations seen = WatchAllocations([&] { KeepATensor(&kept); });
  EXPECT_EQ(seen.calls, 1);
  EXPECT_NE(seen.stacks.find("1 calls of malloc from"), std::string::npos) << seen.stacks;
  EXPECT_NE(seen.stacks.find("KeepATensor"), std::string::npos) << seen.stacks;
}

INSTANTIATE_TEST_SUITE_P(Families, ModelsTest, testing::ValuesIn(kFamilies),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lockstep::tests
