#include "engine/model/receipt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/data/sha256.h"

namespace lockstep {
namespace {

using testing::HasSubstr;

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
  EXPECT_TRUE(CheckReceiptChain(Chain()).ok());
  EXPECT_TRUE(CheckReceiptChain({}).ok());
}

TEST(ReceiptTest, AnyChangeShowsAndIsNamed) {
  const auto expect_broken = [](const std::function<void(std::vector<v1::Receipt>&)>& change,
                                const std::string& named) {
    std::vector<v1::Receipt> chain = Chain();
    change(chain);
    const absl::Status status = CheckReceiptChain(chain);
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
