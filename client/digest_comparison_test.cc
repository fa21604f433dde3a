#include "client/digest_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::client {
namespace {

using testing::ElementsAre;

void Add(v1::JobDigests* digests, uint64_t step, std::vector<uint64_t> tensors,
         std::vector<uint64_t> shards = {}) {
  v1::StepDigest& digest = *digests->add_steps();
  digest.set_step(step);
  for (const uint64_t tensor : tensors) digest.add_tensors(tensor);
  for (const uint64_t shard : shards) digest.add_shards(shard);
}

v1::JobDigests RecordedRun() {
  v1::JobDigests digests;
  digests.add_tensors("weight");
  digests.add_tensors("bias");
  Add(&digests, 2, {1, 2}, {7, 8});
  Add(&digests, 4, {3, 4}, {9, 10});
  Add(&digests, 6, {5, 6}, {11, 12});
  return digests;
}

TEST(DigestComparisonTest, EqualRunsAreEqual) {
  const DigestComparison comparison = CompareDigests(RecordedRun(), RecordedRun(), 0, 100);
  EXPECT_EQ(comparison.compared, 3u);
  EXPECT_EQ(comparison.last_equal, 6u);
  EXPECT_FALSE(comparison.first_different.has_value());
}

TEST(DigestComparisonTest, NamesStepTensorAndShard) {
  v1::JobDigests other = RecordedRun();
  other.mutable_steps(1)->set_tensors(1, 44);
  other.mutable_steps(1)->set_shards(0, 99);
  other.mutable_steps(2)->set_tensors(0, 55);
  const DigestComparison comparison = CompareDigests(RecordedRun(), other, 0, 100);
  EXPECT_EQ(comparison.last_equal, 2u);
  EXPECT_EQ(comparison.first_different, 4u);
  EXPECT_THAT(comparison.tensors, ElementsAre("bias"));
  EXPECT_TRUE(comparison.shards_known);
  EXPECT_THAT(comparison.shards, ElementsAre(0));
}

TEST(DigestComparisonTest, OnlyCommonStepsWithinTheStretchCount) {
  v1::JobDigests other;
  *other.mutable_tensors() = RecordedRun().tensors();
  Add(&other, 2, {0, 0});
  Add(&other, 3, {0, 0});
  Add(&other, 4, {3, 4});
  Add(&other, 6, {0, 0});
  const DigestComparison comparison = CompareDigests(RecordedRun(), other, 2, 5);
  EXPECT_EQ(comparison.compared, 1u);
  EXPECT_EQ(comparison.last_equal, 4u);
  EXPECT_FALSE(comparison.first_different.has_value());
}

TEST(DigestComparisonTest, OtherModelsAreSaidToBeSo) {
  v1::JobDigests other = RecordedRun();
  other.set_tensors(0, "kernel");
  EXPECT_TRUE(CompareDigests(RecordedRun(), other, 0, 100).other_tensors);
}

}  // namespace
}  // namespace lockstep::client
