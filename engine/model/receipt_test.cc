#include "engine/model/receipt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/data/sha256.h"

namespace lockstep {
namespace {

using testing::HasSubstr;

// An epoch ends every 10 steps.
v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_epochs(4);
  spec.set_batch_size(1);
  spec.set_shards(1);
  spec.mutable_data_summary()->set_training_examples(10);
  return spec;
}

std::vector<v1::Receipt> Chain() {
  std::vector<v1::Receipt> chain;
  std::string previous = NoReceipt();
  for (const uint64_t step : {10, 20, 30}) {
    v1::Receipt& receipt = chain.emplace_back();
    receipt.set_step(step);
    receipt.set_job_sha256("job");
    receipt.set_data_sha256("data");
    receipt.set_model_sha256("model" + std::to_string(step));
    receipt.set_state_sha256("state");
    receipt.set_previous(previous);
    receipt.set_receipt(HashOfReceipt(receipt));
    previous = receipt.receipt();
  }
  return chain;
}

TEST(ReceiptTest, IsTheHashOfItsLines) {
  EXPECT_EQ(Chain()[0].receipt(),
            data::Sha256Hex("lockstep receipt 1\njob job\ndata data\nstep 10\nmodel model10\n"
                            "state state\nprevious " +
                            std::string(64, '0') + "\n"));
}

TEST(ReceiptTest, AWholeChainHolds) {
  EXPECT_TRUE(CheckReceiptChain(Spec(), Chain()).ok());
  EXPECT_TRUE(CheckReceiptChain(Spec(), {}).ok());
}

// As servers bound them before the chain was of the job file's steps alone.
TEST(ReceiptTest, ReceiptsThatAreAllBoundToEachOtherHoldToo) {
  v1::JobSpec spec = Spec();
  spec.mutable_data_summary()->set_training_examples(30);  // the others are beside the chain
  EXPECT_TRUE(CheckReceiptChain(spec, Chain()).ok()) << CheckReceiptChain(spec, Chain());
}

TEST(ReceiptTest, TheChainIsOfTheStepsThatTheJobFileDefines) {
  v1::JobSpec spec = Spec();
  spec.mutable_checkpoint()->set_interval_steps(4);
  std::vector<uint64_t> chained;
  for (uint64_t step = 0; step <= 21; ++step) {
    if (IsChained(spec, step)) chained.push_back(step);
  }
  EXPECT_THAT(chained, testing::ElementsAre(4, 8, 10, 12, 16, 20));
  spec.set_steps(21);
  EXPECT_TRUE(IsChained(spec, 21)) << "the job's end";
  spec.mutable_forked_from()->set_step(12);
  EXPECT_FALSE(IsChained(spec, 12)) << "where it begins";
  EXPECT_TRUE(IsChained(spec, 16));
}

TEST(ReceiptTest, AnyChangeShowsAndIsNamed) {
  const auto expect_broken = [](const std::function<void(std::vector<v1::Receipt>&)>& change,
                                const std::string& named) {
    std::vector<v1::Receipt> chain = Chain();
    change(chain);
    const absl::Status status = CheckReceiptChain(Spec(), chain);
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
  };
  expect_broken([](auto& chain) { chain[1].set_model_sha256("other"); }, "step 20");
  expect_broken([](auto& chain) { chain.erase(chain.begin() + 1); }, "step 30");
  expect_broken(
      [](auto& chain) {
        chain[0].set_model_sha256("other");
        chain[0].set_receipt(HashOfReceipt(chain[0]));
      },
      "step 20");
  expect_broken(
      [](auto& chain) {
        chain[2].set_data_sha256("other");
        chain[2].set_receipt(HashOfReceipt(chain[2]));
      },
      "other data");
}

}  // namespace
}  // namespace lockstep
