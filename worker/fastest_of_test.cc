#include "worker/fastest_of.h"

#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

// What is chosen once ways that take these times have been tried.
int Chosen(const std::vector<double>& seconds) {
  FastestOf choice(static_cast<int>(seconds.size()));
  std::vector<int> used(seconds.size(), 0);
  for (int i = 0; i < 30; ++i) {
    const int way = choice.Next();
    ++used[way];
    choice.Measured(way, seconds[way]);
  }
  const int chosen = choice.Next();
  for (size_t way = 0; way < seconds.size(); ++way) {
    if (static_cast<int>(way) == chosen) continue;
    EXPECT_EQ(used[way], 3) << way;
  }
  return chosen;
}

TEST(FastestOfTest, TriesEachThenKeepsTheFastest) {
  EXPECT_EQ(Chosen({2, 1, 3}), 1);
  EXPECT_EQ(Chosen({2, 3, 1}), 2);
  EXPECT_EQ(Chosen({1, 3, 2}), 0);
}

TEST(FastestOfTest, TheFirstIsPreferredWhereNoneIsClearlyFaster) {
  EXPECT_EQ(Chosen({1, 0.95}), 0);
  EXPECT_EQ(Chosen({1, 0.85}), 1);
}

TEST(FastestOfTest, OneSlowRunDoesNotCount) {
  FastestOf choice(2);
  for (double seconds : {9.0, 1.0, 9.0}) choice.Measured(0, seconds);
  for (int i = 0; i < 3; ++i) choice.Measured(1, 2);
  EXPECT_EQ(choice.Next(), 0);
}

TEST(FastestOfTest, OneWayNeedsNoTrial) { EXPECT_EQ(FastestOf(1).Next(), 0); }

}  // namespace
}  // namespace lockstep::worker
