#include "client/chaos_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::client {
namespace {

using testing::HasSubstr;

TEST(ChaosPlanTest, ReadsWhatTheCommandLineSays) {
  const auto plan = ChaosPlan::Parse("kill-worker=5s,kill-server=20s,corrupt-shard=0.001");
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->recurring.size(), 2);
  EXPECT_EQ(plan->recurring[1].fault, ChaosFault::kKillServer);
  EXPECT_EQ(plan->recurring[1].interval, absl::Seconds(20));
  EXPECT_EQ(plan->corrupt_shard, 0.001);
}

TEST(ChaosPlanTest, SaysWhichPartIsWrong) {
  for (const char* text :
       {"", "kill-worker", "kill-worker=", "kill-worker=5", "kill-worker=1ms", "kill-worker=inf",
        "explode=5s", "corrupt-shard=2", "corrupt-shard=x", "kill-worker=5s,,kill-server=2s"}) {
    const absl::Status status = ChaosPlan::Parse(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--chaos: ")) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("want ")) << text;
  }
}

std::vector<ChaosEvent> Events(uint64_t seed) {
  const auto plan = ChaosPlan::Parse("kill-worker=1s,stall-worker=3s");
  ChaosSchedule schedule(*plan, seed);
  std::vector<ChaosEvent> events;
  for (absl::Duration now; now < absl::Seconds(60); now += absl::Milliseconds(10)) {
    while (const auto event = schedule.TakeDue(now)) events.push_back(*event);
  }
  return events;
}

TEST(ChaosPlanTest, TheSeedDecidesWhenAndWho) {
  const std::vector<ChaosEvent> events = Events(7);
  EXPECT_NEAR(static_cast<double>(events.size()), 80, 15);
  const std::vector<ChaosEvent> again = Events(7);
  ASSERT_EQ(events.size(), again.size());
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].at, again[i].at);
    EXPECT_EQ(events[i].choice, again[i].choice);
    if (i > 0) {
      EXPECT_LE(events[i - 1].at, events[i].at);
    }
  }
  EXPECT_NE(Events(8)[0].at, events[0].at);
}

}  // namespace
}  // namespace lockstep::client
