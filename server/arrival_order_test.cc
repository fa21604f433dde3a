#include "server/arrival_order.h"

#include <gtest/gtest.h>

#include <random>

namespace lockstep::server {
namespace {

bool NoneEmpty(uint64_t) { return false; }

TEST(ArrivalOrderTest, HandsOutInOrderAndAgainWhatWasGivenBack) {
  ArrivalOrder order(4, std::nullopt, 0, 0);
  const Ticket first = *order.Take(8, NoneEmpty);
  const Ticket second = *order.Take(8, NoneEmpty);
  EXPECT_EQ(first.number, 0u);
  EXPECT_EQ(second.number, 1u);
  order.GiveBack(first);
  EXPECT_EQ(order.Take(8, NoneEmpty)->number, 0u);
  EXPECT_EQ(order.Take(8, NoneEmpty)->number, 2u);
}

TEST(ArrivalOrderTest, TheBaseIsTheNumberOfUpdatesSoFar) {
  ArrivalOrder order(4, std::nullopt, 8, 7);
  const Ticket first = *order.Take(100, NoneEmpty);
  EXPECT_EQ(first.number, 8u);
  EXPECT_EQ(first.base, 7u);
  order.Apply(first);
  EXPECT_EQ(order.Take(100, NoneEmpty)->base, 8u);
}

TEST(ArrivalOrderTest, BoundedStalenessHoldsTheFastestBack) {
  ArrivalOrder order(2, 1, 0, 0);
  const Ticket slow = *order.Take(100, NoneEmpty);
  for (uint64_t ticket = 1; ticket < 4; ++ticket) {
    const auto taken = order.Take(100, NoneEmpty);
    ASSERT_TRUE(taken.has_value()) << ticket;
    order.Apply(*taken);
  }
  EXPECT_FALSE(order.Take(100, NoneEmpty).has_value()) << "step 2, while step 0 is open";
  order.Apply(slow);
  EXPECT_EQ(order.Take(100, NoneEmpty)->number, 4u);
}

TEST(ArrivalOrderTest, StalenessZeroIsAStepAtATime) {
  ArrivalOrder order(2, 0, 0, 0);
  const Ticket a = *order.Take(100, NoneEmpty), b = *order.Take(100, NoneEmpty);
  EXPECT_FALSE(order.Take(100, NoneEmpty).has_value());
  order.Apply(b);
  EXPECT_FALSE(order.Take(100, NoneEmpty).has_value());
  order.Apply(a);
  EXPECT_TRUE(order.Take(100, NoneEmpty).has_value());
}

TEST(ArrivalOrderTest, StopsAtTheEndAndIsDoneWhenAllHaveArrived) {
  ArrivalOrder order(2, std::nullopt, 0, 0);
  const Ticket a = *order.Take(2, NoneEmpty), b = *order.Take(2, NoneEmpty);
  EXPECT_FALSE(order.Take(2, NoneEmpty).has_value());
  order.Apply(a);
  EXPECT_FALSE(order.IsDone(2));
  order.Apply(b);
  EXPECT_TRUE(order.IsDone(2));
}

TEST(ArrivalOrderTest, EmptyShardsAreNoUpdates) {
  ArrivalOrder order(4, std::nullopt, 0, 0);
  const auto odd = [](uint64_t ticket) { return ticket % 2 == 1; };
  const Ticket a = *order.Take(4, odd), b = *order.Take(4, odd);
  EXPECT_EQ(b.number, 2u);
  EXPECT_FALSE(order.Take(4, odd).has_value());
  order.Apply(a);
  order.Apply(b);
  EXPECT_EQ(order.updates(), 2u);
  EXPECT_TRUE(order.IsDone(4));
}

// Whatever happened, the log leads through it again, with any number of workers.
TEST(ArrivalOrderTest, ARandomRunIsReplayedInItsOrder) {
  for (uint32_t seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    const auto staleness = seed % 2 == 0 ? std::nullopt : std::optional<uint64_t>(seed % 5);
    ArrivalOrder order(3, staleness, 0, 0);
    std::vector<Ticket> open;
    std::vector<Arrival> log;
    while (!order.IsDone(30)) {
      const uint32_t dice = random() % 10;
      const auto taken = dice < 5 && open.size() < 6 ? order.Take(30, NoneEmpty) : std::nullopt;
      if (taken.has_value()) {
        open.push_back(*taken);
        continue;
      }
      if (open.empty()) continue;
      const size_t which = random() % open.size();
      if (dice == 9) {
        order.GiveBack(open[which]);
      } else {
        if (staleness.has_value()) {
          ASSERT_LE(open[which].number / 3, order.oldest() / 3 + *staleness);
        }
        order.Apply(open[which]);
        log.push_back({open[which].number, open[which].base});
      }
      open.erase(open.begin() + static_cast<int>(which));
    }
    ASSERT_EQ(log.size(), 30u);
    ArrivalOrder again(3, staleness, 0, 0);
    again.Replay(log);
    std::vector<Ticket> held;
    while (!again.IsDone(30)) {
      if (const auto taken = again.Take(30, NoneEmpty); taken.has_value()) {
        ASSERT_LE(taken->base, again.updates());
        ASSERT_GE(taken->base, again.oldest_base()) << "its parameters would be gone";
        ASSERT_EQ(taken->number, log[*taken->update].ticket);
        if (random() % 10 == 0) {
          again.GiveBack(*taken);
        } else {
          held.push_back(*taken);
        }
      }
      for (size_t i = 0; i < held.size();) {
        if (*held[i].update == again.updates()) {
          again.Apply(held[i]);
          held.erase(held.begin() + static_cast<int>(i));
          i = 0;
        } else {
          ++i;
        }
      }
    }
    ASSERT_EQ(again.updates(), 30u) << seed;
  }
}

}  // namespace
}  // namespace lockstep::server
