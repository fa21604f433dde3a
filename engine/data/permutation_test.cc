#include "engine/data/permutation.h"

#include <map>
#include <vector>

#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

std::vector<uint64_t> First(const Permutation& permutation, uint64_t count) {
  std::vector<uint64_t> values;
  for (uint64_t i = 0; i < count; ++i) values.push_back(permutation(i));
  return values;
}

void ExpectPermutation(const Permutation& permutation) {
  std::vector<bool> seen(permutation.size());
  for (uint64_t i = 0; i < permutation.size(); ++i) {
    const uint64_t value = permutation(i);
    ASSERT_LT(value, permutation.size());
    ASSERT_FALSE(seen[value]) << value << " twice among " << permutation.size();
    seen[value] = true;
  }
}

TEST(PermutationTest, TakesEveryValueOnce) {
  for (uint64_t size = 0; size <= 300; ++size) {
    ExpectPermutation(Permutation(size, 5, RandomStream::kExampleOrder, size));
  }
  for (uint64_t size : {4095, 4096, 4097, 60000, 65537, 1000003}) {
    ExpectPermutation(Permutation(size, 5, RandomStream::kExampleOrder, 1));
  }
}

TEST(PermutationTest, DiffersByEpochSeedAndStream) {
  const auto order = [](uint64_t seed, RandomStream stream, uint64_t epoch) {
    return First(Permutation(1000, seed, stream, epoch), 1000);
  };
  const std::vector<uint64_t> base = order(1, RandomStream::kExampleOrder, 0);
  EXPECT_NE(base, order(1, RandomStream::kExampleOrder, 1));
  EXPECT_NE(base, order(2, RandomStream::kExampleOrder, 0));
  EXPECT_NE(base, order(uint64_t{1} << 32 | 1, RandomStream::kExampleOrder, 0));
  EXPECT_NE(base, order(1, RandomStream::kValidationSplit, 0));
  EXPECT_EQ(base, order(1, RandomStream::kExampleOrder, 0));
}

// Computed by an independent implementation in Python. They are in the bits of
// every model: a change here is a change of every result ever published.
TEST(PermutationTest, KeepsItsValues) {
  using Values = std::vector<uint64_t>;
  const RandomStream order = RandomStream::kExampleOrder;
  EXPECT_EQ(First(Permutation(10, 0, order, 0), 10), (Values{6, 8, 7, 0, 5, 9, 1, 2, 4, 3}));
  EXPECT_EQ(First(Permutation(10, 0, order, 1), 10), (Values{5, 8, 4, 6, 3, 1, 0, 2, 7, 9}));
  EXPECT_EQ(First(Permutation(60000, 42, order, 3), 6),
            (Values{4937, 55022, 8112, 42228, 29998, 35856}));
  EXPECT_EQ(First(Permutation(uint64_t{1} << 40, 12345678901234567890u,
                              RandomStream::kValidationSplit, 0),
                  4),
            (Values{646155310840, 209320519365, 502971724311, 957030549116}));
  EXPECT_EQ(First(Permutation(~uint64_t{0}, 7, order, 5), 3),
            (Values{7227551519102520758u, 280968867960343227u, 14560056725016250863u}));
}

TEST(PermutationTest, ReachesAllOrdersOfAFewValuesAboutEquallyOften) {
  std::map<std::vector<uint64_t>, int> counts;
  for (uint64_t seed = 0; seed < 2400; ++seed) {
    ++counts[First(Permutation(4, seed, RandomStream::kExampleOrder, 0), 4)];
  }
  EXPECT_EQ(counts.size(), 24u);
  double chi_square = 0;
  for (const auto& [order, count] : counts) chi_square += (count - 100.0) * (count - 100.0) / 100.0;
  EXPECT_LT(chi_square, 49.7);  // 23 degrees of freedom: 1 in 1000
}

TEST(PermutationTest, SendsAPositionEverywhereAboutEquallyOften) {
  std::vector<int> counts(50);
  for (uint64_t epoch = 0; epoch < 5000; ++epoch) {
    ++counts[Permutation(50, 3, RandomStream::kExampleOrder, epoch)(17)];
  }
  double chi_square = 0;
  for (int count : counts) chi_square += (count - 100.0) * (count - 100.0) / 100.0;
  EXPECT_LT(chi_square, 85.4);  // 49 degrees of freedom: 1 in 1000
}

}  // namespace
}  // namespace lockstep::data
