#include "worker/fault_injection.h"

#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

TEST(FaultInjectionTest, SpoilsOneBitOfOneChunkAsOftenAsItIsTold) {
  FaultInjection faults({0.1, 7});
  const Tensor values = Tensor::Zeros(Shape{5});
  int spoiled = 0;
  for (int node = 0; node < 1000; ++node) {
    faults.BeginNode(1, 3);
    for (int chunk = 0; chunk < 3; ++chunk) {
      if (!faults.Spoils(chunk)) continue;
      ++spoiled;
      const Tensor wrong = faults.Spoiled(values);
      int bits = 0;
      for (int i = 0; i < 5; ++i) {
        uint32_t word = 0;
        std::memcpy(&word, wrong.data<float>() + i, sizeof(word));
        bits += __builtin_popcount(word);
      }
      EXPECT_EQ(bits, 1);
    }
  }
  EXPECT_NEAR(spoiled, 100, 40);
}

TEST(FaultInjectionTest, LeavesAllAloneWhereItIsNotAskedFor) {
  FaultInjection faults({0, 7});
  for (int node = 0; node < 100; ++node) {
    faults.BeginNode(8, 1);
    EXPECT_FALSE(faults.Spoils(0));
  }
}

}  // namespace
}  // namespace lockstep::worker
