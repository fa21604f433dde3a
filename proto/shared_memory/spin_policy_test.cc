#include "proto/shared_memory/spin_policy.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

// Waits until the next spin.
int SleepsBeforeSpin(SpinPolicy& policy) {
  int sleeps = 0;
  while (!policy.NextSpins()) ++sleeps;
  return sleeps;
}

TEST(SpinPolicyTest, SpinsAsLongAsSpinsFindSomething) {
  SpinPolicy policy;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(policy.NextSpins());
    policy.SpinEnded(true);
  }
}

TEST(SpinPolicyTest, SleepsTwiceAsOftenAfterEachSpinInVain) {
  SpinPolicy policy;
  for (const int sleeps : {8, 16, 32, 64, 128, 256, 512, 1024, 1024}) {
    policy.SpinEnded(false);
    EXPECT_EQ(SleepsBeforeSpin(policy), sleeps);
  }
}

TEST(SpinPolicyTest, ABurstDoesNotMakeUpForTheWaitBehindIt) {
  SpinPolicy policy;
  int spins = 0;
  constexpr int kWaits = 100000;
  // Of each 10 waits 9 are short: bursts, and the long wait between them.
  for (int i = 0; i < kWaits; ++i) {
    if (!policy.NextSpins()) continue;
    ++spins;
    policy.SpinEnded(i % 10 != 9);
  }
  EXPECT_LT(spins, kWaits / 100);
}

TEST(SpinPolicyTest, ALongRunOfShortWaitsMakesUpForOneLongOne) {
  SpinPolicy policy;
  policy.SpinEnded(false);
  policy.SpinEnded(false);
  EXPECT_EQ(SleepsBeforeSpin(policy), 16);
  for (int i = 0; i < 64; ++i) policy.SpinEnded(true);
  policy.SpinEnded(false);
  EXPECT_EQ(SleepsBeforeSpin(policy), 8);
}

}  // namespace
}  // namespace lockstep
