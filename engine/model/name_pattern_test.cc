#include "engine/model/name_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace lockstep {
namespace {

TEST(NamePatternTest, MatchesWholeNames) {
  EXPECT_TRUE(MatchesPattern("0.weight", "0.weight"));
  EXPECT_FALSE(MatchesPattern("0.weight", "10.weight"));
  EXPECT_FALSE(MatchesPattern("weight", "0.weight"));
  EXPECT_FALSE(MatchesPattern("0.weight", "0.weights"));
  EXPECT_TRUE(MatchesPattern("", ""));
  EXPECT_FALSE(MatchesPattern("", "a"));
}

TEST(NamePatternTest, AStarIsAnyRun) {
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("*.bias", "3.attention.bias"));
  EXPECT_FALSE(MatchesPattern("*.bias", "3.bias.weight"));
  EXPECT_TRUE(MatchesPattern("3.*", "3.bias"));
  EXPECT_TRUE(MatchesPattern("*norm*", "1.norm2.weight"));
  EXPECT_TRUE(MatchesPattern("*ab*ab", "aababab"));
  EXPECT_FALSE(MatchesPattern("*a*b", "ba"));
  EXPECT_TRUE(MatchesPattern("a**", "a"));
}

TEST(NamePatternTest, AQuestionMarkIsOneCharacter) {
  EXPECT_TRUE(MatchesPattern("?.bias", "3.bias"));
  EXPECT_FALSE(MatchesPattern("?.bias", "13.bias"));
  EXPECT_FALSE(MatchesPattern("a?", "a"));
}

TEST(NamePatternTest, ManyStarsTakeNoLongTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "a*";
  EXPECT_FALSE(MatchesPattern(pattern + "b", std::string(4000, 'a')));
}

}  // namespace
}  // namespace lockstep
