#include "server/waiting_for_workers.h"

#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

TEST(WaitingForWorkersTest, SaysHowManyAndWhyNot) {
  WaitingForWorkers waiting;
  waiting.ready = 1;
  waiting.needed = 3;
  waiting.since = absl::UnixEpoch() + absl::Hours(3);
  EXPECT_EQ(waiting.Text(), "waiting for workers: has 1, needs 3, since 03:00:00 UTC");
  waiting.quarantined = {"liar"};
  waiting.preparing = 2;
  waiting.refusals["poor"] = "no such file";
  EXPECT_EQ(waiting.Text(),
            "waiting for workers: has 1, needs 3, since 03:00:00 UTC; liar is quarantined; 2 "
            "loading the data; poor cannot take part: no such file");
}

}  // namespace
}  // namespace lockstep::server
