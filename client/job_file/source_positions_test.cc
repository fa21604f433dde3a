#include "client/job_file/source_positions.h"

#include <gtest/gtest.h>

namespace lockstep::client {
namespace {

TEST(EnclosingPathTest, CutsTheLastPart) {
  EXPECT_EQ(EnclosingPath("model[2].linear.bias"), "model[2].linear");
  EXPECT_EQ(EnclosingPath("model[2]"), "model");
  EXPECT_EQ(EnclosingPath("model"), "");
  EXPECT_EQ(EnclosingPath(""), "");
}

TEST(SourcePositionsTest, FallsBackOnTheNearestFieldThatWasWritten) {
  SourcePositions positions;
  positions.Add("", {1, 1});
  positions.Add("model", {3, 1});
  positions.Add("model[1]", {5, 3});
  EXPECT_EQ(positions.Nearest("model[1].linear.out_features"), (SourcePosition{5, 3}));
  EXPECT_EQ(positions.Nearest("model[7]"), (SourcePosition{3, 1}));
  EXPECT_EQ(positions.Nearest("loss"), (SourcePosition{1, 1}));
  EXPECT_TRUE(positions.Has("model[1]"));
  EXPECT_FALSE(positions.Has("model[1].linear"));
}

TEST(SourcePositionsTest, KnowsNothingWhereNothingWasWritten) {
  EXPECT_EQ(SourcePositions().Nearest("a.b"), (SourcePosition{0, 0}));
}

}  // namespace
}  // namespace lockstep::client
