#include "client/job_file/edit_distance.h"

#include <gtest/gtest.h>

namespace lockstep::client {
namespace {

TEST(EditDistanceTest, CountsSingleEdits) {
  EXPECT_EQ(EditDistance("", ""), 0);
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("abc", ""), 3);
  EXPECT_EQ(EditDistance("same", "same"), 0);
  EXPECT_EQ(EditDistance("learning_rat", "learning_rate"), 1);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(EditDistanceTest, CountsASwapOfNeighboursOnce) {
  EXPECT_EQ(EditDistance("sdg", "sgd"), 1);
  EXPECT_EQ(EditDistance("ca", "abc"), 3) << "no byte is edited twice";
}

TEST(NearestWordTest, FindsWhatWasMeant) {
  const std::vector<std::string> words = {"linear", "relu", "tanh", "sigmoid", "flatten"};
  EXPECT_EQ(NearestWord("linaer", words), "linear");
  EXPECT_EQ(NearestWord("ReLU", words), "relu");
  EXPECT_EQ(NearestWord("Flaten", words), "flatten");
  EXPECT_EQ(NearestWord("tan", words), "tanh");
}

TEST(NearestWordTest, SuggestsNothingFarFetched) {
  EXPECT_EQ(NearestWord("convolution", {"linear", "relu"}), "");
  EXPECT_EQ(NearestWord("", {"sgd"}), "");
  EXPECT_EQ(NearestWord(std::string(100000, 'a'), {"sgd"}), "");
  EXPECT_EQ(NearestWord("sgd", {}), "");
}

}  // namespace
}  // namespace lockstep::client
