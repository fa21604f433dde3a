#include "server/parameter_store.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <utility>

#include "engine/optim/adam.h"
#include "engine/optim/lamb.h"
#include "engine/optim/sgd.h"
#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

// One weight of 70,000 elements (two chunks) and a bias.
ParameterStore MakeStore() {
  nn::ParameterLayout layout({{"0.weight", Shape{700, 100}}, {"0.bias", Shape{700}}});
  optim::SgdOptions options;
  options.learning_rate = 1;
  options.momentum = 0.5;
  auto rules = optim::UpdateRules::Uniform(layout, std::make_shared<optim::Sgd>(options));
  Tensor parameters = Tensor::Full(Shape{layout.total_elements()}, 2);
  return ParameterStore(std::move(layout), std::move(rules), parameters);
}

void Step(ParameterStore& store, uint64_t step, float gradient_sum) {
  optim::UpdateStep update;
  update.step = step;
  update.batch_size = 4;
  update.learning_rate_factor = 0.5;
  store.BeginStep();
  for (int chunk = 0; chunk < store.chunk_count(); ++chunk) {
    store.ApplyChunk(chunk, Tensor::Full(Shape{store.ChunkElements(chunk)}, gradient_sum), update);
  }
  store.CommitStep();
}

TEST(ParameterStoreTest, ChunksCoverTheFlatVector) {
  const ParameterStore store = MakeStore();
  ASSERT_EQ(store.chunk_count(), 2);
  EXPECT_EQ(store.ChunkElements(0), kChunkElements);
  EXPECT_EQ(store.ChunkElements(0) + store.ChunkElements(1), store.layout().total_elements());
}

TEST(ParameterStoreTest, ChunksAreAsLongAsAsked) {
  nn::ParameterLayout layout({{"weight", Shape{10, 10}}});
  const Tensor parameters = Tensor::Zeros(Shape{layout.total_elements()});
  auto rules =
      optim::UpdateRules::Uniform(layout, std::make_shared<optim::Sgd>(optim::SgdOptions()));
  const ParameterStore store(std::move(layout), std::move(rules), parameters, 48);
  ASSERT_EQ(store.chunk_count(), 3);
  EXPECT_EQ(store.ChunkElements(1), 48);
  EXPECT_EQ(store.ChunkElements(2), store.layout().total_elements() - 96);
}

TEST(ParameterStoreTest, OnlyLargeModelsWithoutShardDigestsHaveLargeChunks) {
  EXPECT_EQ(ChunkElementsFor(kLargeModelElements - 1, false), kChunkElements);
  EXPECT_EQ(ChunkElementsFor(kLargeModelElements, false), kLargeChunkElements);
  EXPECT_EQ(ChunkElementsFor(kLargeModelElements, true), kChunkElements);
}

TEST(ParameterStoreTest, AStepChangesTheNextVersionAndNotThePublishedOne) {
  ParameterStore store = MakeStore();
  const Tensor before = store.CurrentChunk(1);
  Step(store, 0, 4);  // g = 1, v = 1, p = 2 - 0.5
  EXPECT_EQ(before.data<float>()[0], 2);
  EXPECT_EQ(store.CurrentChunk(1).data<float>()[0], 1.5f);
  Step(store, 1, 4);  // v = 0.5 + 1, p = 1.5 - 0.75
  EXPECT_EQ(store.CurrentChunk(0).data<float>()[0], 0.75f);
}

TEST(ParameterStoreTest, WhatIsSavedIsWhatIsRestored) {
  ParameterStore store = MakeStore();
  Step(store, 0, 4);
  ParameterStore other = MakeStore();
  ASSERT_TRUE(other.LoadParameters(store.NamedParameters()).ok());
  ASSERT_TRUE(other.LoadOptimizerState(store.TakeSnapshot("").optimizer_state).ok());
  Step(store, 1, 3);
  Step(other, 1, 3);
  EXPECT_EQ(store.CurrentChunk(0).data<float>()[7], other.CurrentChunk(0).data<float>()[7]);
}

// Large enough to be copied piece by piece.
ParameterStore MakeLargeStore(bool whole_gradient, int64_t chunk_elements) {
  nn::ParameterLayout layout({{"0.weight", Shape{1500, 1000}}});
  std::shared_ptr<const optim::Optimizer> optimizer;
  if (whole_gradient) {
    optimizer = std::make_shared<optim::Lamb>(optim::LambOptions{});
  } else {
    optimizer = std::make_shared<optim::Adam>(optim::AdamOptions{});
  }
  auto rules = optim::UpdateRules::Uniform(layout, optimizer);
  Tensor parameters = Tensor::Full(Shape{layout.total_elements()}, 2);
  return ParameterStore(std::move(layout), std::move(rules), parameters, chunk_elements);
}

void WholeStep(ParameterStore& store, uint64_t step, float gradient_sum) {
  if (!store.NeedsWholeGradient()) return Step(store, step, gradient_sum);
  store.BeginStep();
  for (int chunk = 0; chunk < store.chunk_count(); ++chunk) {
    store.KeepChunk(chunk, Tensor::Full(Shape{store.ChunkElements(chunk)}, gradient_sum));
  }
  optim::UpdateStep update;
  update.step = step;
  store.ApplyAll(update);
  store.CommitStep();
}

TEST(ParameterStoreTest, ALargeSnapshotIsThatOfItsMomentHoweverLateItIsFinished) {
  for (const auto& [whole_gradient, chunk_elements] :
       {std::pair(false, kChunkElements), std::pair(false, kLargeChunkElements),
        std::pair(true, kChunkElements)}) {
    const TemporaryFolder folder;
    ParameterStore store = MakeLargeStore(whole_gradient, chunk_elements);
    WholeStep(store, 0, 3);
    const ParameterStore::Snapshot at_once = store.TakeSnapshot("");
    const ParameterStore::Snapshot lazy = store.TakeSnapshot(folder.path());
    ASSERT_EQ(at_once.copying, nullptr);
    ASSERT_NE(lazy.copying, nullptr);
    const ParameterStore::Snapshot again = store.TakeSnapshot(folder.path());
    WholeStep(store, 1, 5);
    WholeStep(store, 2, 7);
    for (const ParameterStore::Snapshot* snapshot : {&lazy, &again}) {
      snapshot->copying->Finish();
      for (const bool state : {false, true}) {
        const auto& want = state ? at_once.optimizer_state : at_once.parameters;
        const auto& got = state ? snapshot->optimizer_state : snapshot->parameters;
        ASSERT_EQ(got.size(), want.size());
        for (size_t i = 0; i < want.size(); ++i) {
          EXPECT_EQ(got[i].name, want[i].name);
          EXPECT_EQ(got[i].tensor.span<float>(), want[i].tensor.span<float>()) << got[i].name;
        }
      }
    }
    EXPECT_NE(store.TakeSnapshot("").optimizer_state[0].tensor.data<float>()[0],
              lazy.optimizer_state[0].tensor.data<float>()[0]);
  }
}

TEST(ParameterStoreTest, ALargeSnapshotWithoutStateIsOfTheParametersAlone) {
  const TemporaryFolder folder;
  nn::ParameterLayout layout({{"0.weight", Shape{4500, 1000}}});
  auto rules =
      optim::UpdateRules::Uniform(layout, std::make_shared<optim::Sgd>(optim::SgdOptions{}));
  Tensor parameters = Tensor::Full(Shape{layout.total_elements()}, 2);
  ParameterStore store(std::move(layout), std::move(rules), parameters);
  const ParameterStore::Snapshot snapshot = store.TakeSnapshot(folder.path());
  ASSERT_NE(snapshot.copying, nullptr);
  Step(store, 0, 3);
  snapshot.copying->Finish();
  EXPECT_TRUE(snapshot.optimizer_state.empty());
  EXPECT_EQ(snapshot.parameters[0].tensor.span<float>(), parameters.span<float>());
}

TEST(ParameterStoreTest, TwoVersionsAreEnoughWhileASnapshotIsUnfinished) {
  const TemporaryFolder folder;
  ParameterStore store = MakeLargeStore(false, kChunkElements);
  std::set<const float*> memory;
  const ParameterStore::Snapshot before = store.TakeSnapshot(folder.path());
  for (uint64_t step = 0; step < 6; ++step) {
    memory.insert(store.CurrentChunk(0).data<float>());
    WholeStep(store, step, 3);
    if (step != 2) continue;
    const ParameterStore::Snapshot snapshot = store.TakeSnapshot(folder.path());
    WholeStep(store, ++step, 3);
    WholeStep(store, ++step, 3);
  }
  EXPECT_EQ(memory.size(), 2u);
}

TEST(ParameterStoreTest, WhatNeedsTheWholeGradientIsAppliedAtOnce) {
  nn::ParameterLayout layout({{"0.weight", Shape{700, 100}}});
  auto rules =
      optim::UpdateRules::Uniform(layout, std::make_shared<optim::Lamb>(optim::LambOptions{}));
  ParameterStore store(layout, rules, Tensor::Full(Shape{layout.total_elements()}, 2));
  ASSERT_TRUE(store.NeedsWholeGradient());
  store.BeginStep();
  for (const int chunk : {1, 0}) {
    store.KeepChunk(chunk, Tensor::Full(Shape{store.ChunkElements(chunk)}, 3));
  }
  store.ApplyAll({});
  store.CommitStep();
  // All elements alike: a step as long as the tensor times the learning rate.
  EXPECT_NEAR(store.CurrentChunk(1).data<float>()[7], 2 * (1 - 0.001), 1e-6);
}

TEST(ParameterStoreTest, TensorsThatAreNotTheModelsAreNamed) {
  ParameterStore store = MakeStore();
  auto tensors = store.NamedParameters();
  tensors[1].tensor = Tensor::Zeros(Shape{3});
  absl::Status status = store.LoadParameters(tensors);
  EXPECT_EQ(status.message(), "tensor '0.bias': got shape [3], want [700]");
  tensors[1].name = "1.bias";
  status = store.LoadParameters(tensors);
  EXPECT_EQ(status.message(), "tensor '0.bias': got none, want [700]");
  tensors.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(store.LoadParameters(tensors)));
  EXPECT_TRUE(absl::IsInvalidArgument(store.LoadOptimizerState({})));
  EXPECT_EQ(store.CurrentChunk(0).data<float>()[0], 2);
}

}  // namespace
}  // namespace lockstep::server
