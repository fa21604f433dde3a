#include "server/parameter_store.h"

#include <gtest/gtest.h>

#include "engine/model/build_model.h"

namespace lockstep::server {
namespace {

// One weight of 70,000 elements (two chunks) and a bias.
ParameterStore MakeStore() {
  nn::ParameterLayout layout({{"0.weight", Shape{700, 100}}, {"0.bias", Shape{700}}});
  v1::OptimizerChoice choice;
  choice.mutable_sgd()->set_learning_rate(1);
  choice.mutable_sgd()->set_momentum(0.5f);
  Tensor parameters = Tensor::Full(Shape{layout.total_elements()}, 2);
  return ParameterStore(std::move(layout), *MakeOptimizer(choice), parameters);
}

void Step(ParameterStore& store, uint64_t step, float gradient_sum) {
  store.BeginStep();
  for (int chunk = 0; chunk < store.chunk_count(); ++chunk) {
    store.ApplyChunk(chunk, Tensor::Full(Shape{store.ChunkElements(chunk)}, gradient_sum), step,
                     /*batch_size=*/4, /*learning_rate_factor=*/0.5);
  }
  store.CommitStep();
}

TEST(ParameterStoreTest, ChunksCoverTheFlatVector) {
  const ParameterStore store = MakeStore();
  ASSERT_EQ(store.chunk_count(), 2);
  EXPECT_EQ(store.ChunkElements(0), kChunkElements);
  EXPECT_EQ(store.ChunkElements(0) + store.ChunkElements(1), store.layout().total_elements());
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
  ASSERT_TRUE(other.LoadOptimizerState(store.CopyOptimizerState()).ok());
  Step(store, 1, 3);
  Step(other, 1, 3);
  EXPECT_EQ(store.CurrentChunk(0).data<float>()[7], other.CurrentChunk(0).data<float>()[7]);
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
