#include "engine/kernels/matmul.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <thread>
#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/matmul.h"

namespace lockstep::kernels {
namespace {

struct Problem {
  int64_t m, n, k;
};

// The twin's result is computed once, the fast one on every set and thread count.
void ExpectMatmulEqual(const Problem& p, bool a_transposed, bool b_transposed, bool with_bias,
                       Activation activation, bool wild = false) {
  SCOPED_TRACE(testing::Message() << p.m << " x " << p.n << " x " << p.k << ", transposed "
                                  << a_transposed << b_transposed << ", bias " << with_bias);
  const auto numbers = wild ? WildFloats : RandomFloats;
  const std::vector<float> a = numbers(p.m * p.k, 1);
  const std::vector<float> b = numbers(p.k * p.n, 2);
  const std::vector<float> bias = numbers(p.n, 3);
  const float* bias_data = with_bias ? bias.data() : nullptr;
  std::vector<float> want(p.m * p.n);
  reference::Matmul(p.m, p.n, p.k, {a.data(), a_transposed}, {b.data(), b_transposed}, bias_data,
                    activation, want.data());
  OnEverySetAndThreadCount([&] {
    std::vector<float> got(p.m * p.n, -77.0f);
    Matmul(p.m, p.n, p.k, {a.data(), a_transposed}, {b.data(), b_transposed}, bias_data, activation,
           got.data());
    EXPECT_TRUE(BitEqual(want, got));
  });
}

TEST(MatmulTest, EqualsItsTwinAtTheTilesEdges) {
  const Problem problems[] = {{1, 1, 1},    {1, 1, 5},     {3, 2, 4},    {5, 15, 7},
                              {6, 16, 3},   {7, 17, 8},    {8, 48, 9},   {9, 49, 16},
                              {12, 32, 17}, {13, 33, 31},  {16, 96, 40}, {17, 97, 255},
                              {2, 47, 256}, {15, 31, 257}, {4, 10, 784}};
  for (const Problem& p : problems) {
    for (int form = 0; form < 4; ++form) {
      ExpectMatmulEqual(p, form & 1, form & 2, form % 3 == 0, Activation::kNone);
    }
  }
}

TEST(MatmulTest, EveryCountOfRowsAndColumnsInATileEqualsItsTwin) {
  for (int64_t m = 1; m <= 9; ++m) {
    for (int64_t n : {1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49}) {
      ExpectMatmulEqual({m, n, 11}, false, true, true, Activation::kRelu);
    }
  }
}

TEST(MatmulTest, EqualsItsTwinAtLargerSizes) {
  ExpectMatmulEqual({130, 200, 300}, false, true, true, Activation::kRelu);
  ExpectMatmulEqual({97, 784, 128}, false, false, false, Activation::kNone);
  ExpectMatmulEqual({300, 10, 600}, true, false, true, Activation::kNone);
  ExpectMatmulEqual({16, 129, 1025}, true, true, true, Activation::kRelu);
  // More than one run of k, C's transpose among them.
  ExpectMatmulEqual({20, 130, 1100}, false, true, true, Activation::kRelu);
  ExpectMatmulEqual({130, 20, 1100}, false, true, false, Activation::kNone);
  ExpectMatmulEqual({40, 60, 1030}, false, false, true, Activation::kRelu);
  // Few rows: B is read where it lies.
  ExpectMatmulEqual({10, 160, 128}, true, false, false, Activation::kNone);
  ExpectMatmulEqual({3, 530, 10}, false, false, true, Activation::kRelu);
  // More than one block of rows and of columns.
  ExpectMatmulEqual({3085, 5, 20}, false, false, false, Activation::kNone);
  ExpectMatmulEqual({3, 3085, 20}, false, true, true, Activation::kRelu);
}

TEST(MatmulTest, EqualsItsTwinOnWildNumbers) {
  ExpectMatmulEqual({33, 65, 3}, false, true, true, Activation::kRelu, true);
  ExpectMatmulEqual({70, 129, 2}, false, false, false, Activation::kNone, true);
}

TEST(MatmulTest, EmptyExtents) {
  ExpectMatmulEqual({0, 5, 3}, false, false, true, Activation::kNone);
  ExpectMatmulEqual({5, 0, 3}, false, true, true, Activation::kNone);
  ExpectMatmulEqual({9, 50, 0}, false, true, true, Activation::kRelu);
  ExpectMatmulEqual({9, 50, 0}, true, false, false, Activation::kNone);
}

// Adding a bias of +0 would turn -0 into +0: no bias must add nothing.
TEST(MatmulTest, AnUnderflowToMinusZeroSurvivesWithoutBias) {
  const float a = 1e-30f;
  const float b = -1e-30f;
  std::vector<float> c(1);
  Matmul(1, 1, 1, {&a}, {&b}, nullptr, Activation::kNone, c.data());
  EXPECT_TRUE(BitEqual({-0.0f}, c));
  const float zero = 0.0f;
  Matmul(1, 1, 1, {&a}, {&b}, &zero, Activation::kNone, c.data());
  EXPECT_TRUE(BitEqual({0.0f}, c));
}

TEST(MatmulTest, ManyThreadsMayMultiplyAtOnceAndFromInsideATeam) {
  const int64_t size = 150;
  const std::vector<float> a = RandomFloats(size * size, 1);
  const std::vector<float> b = RandomFloats(size * size, 2);
  std::vector<float> want(size * size);
  reference::Matmul(size, size, size, {a.data()}, {b.data()}, nullptr, Activation::kNone,
                    want.data());
  std::vector<std::vector<float>> got(4, std::vector<float>(size * size));
  const auto multiply = [&](int i) {
    for (int repeat = 0; repeat < 3; ++repeat) {
      Matmul(size, size, size, {a.data()}, {b.data()}, nullptr, Activation::kNone, got[i].data());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(multiply, i);
  for (std::thread& thread : threads) thread.join();
  for (const auto& c : got) EXPECT_TRUE(BitEqual(want, c));
  for (auto& c : got) c.assign(size * size, -1.0f);
#pragma omp parallel for num_threads(kMostTestThreads)
  for (int i = 0; i < 4; ++i) multiply(i);
  for (const auto& c : got) EXPECT_TRUE(BitEqual(want, c));
}

void ExpectShardTreeEqual(int64_t m, int64_t n, const std::vector<int64_t>& cuts) {
  SCOPED_TRACE(testing::Message() << m << " x " << n << ", " << cuts.size() - 1 << " shards, "
                                  << cuts.back() << " examples");
  const std::vector<float> a = RandomFloats(cuts.back() * m, 1);
  const std::vector<float> b = RandomFloats(cuts.back() * n, 2);
  std::vector<float> want(m * n);
  reference::MatmulShardTree(m, n, cuts, a.data(), b.data(), want.data());
  OnEverySetAndThreadCount([&] {
    std::vector<float> got(m * n, -77.0f);
    MatmulShardTree(m, n, cuts, a.data(), b.data(), got.data());
    EXPECT_TRUE(BitEqual(want, got));
  });
}

std::vector<int64_t> EvenCuts(int shards, int64_t examples) {
  std::vector<int64_t> cuts;
  for (int i = 0; i <= shards; ++i) cuts.push_back(examples * i / shards);
  return cuts;
}

TEST(MatmulShardTreeTest, EqualsItsTwinForEveryCountOfShards) {
  for (int shards : {1, 2, 3, 5, 6, 8, 13, 70}) {
    for (int64_t examples : {0, 1, 7, 100}) {
      ExpectShardTreeEqual(10, 33, EvenCuts(shards, examples));
      ExpectShardTreeEqual(65, 49, EvenCuts(shards, examples));
    }
  }
}

TEST(MatmulShardTreeTest, EqualsItsTwinWithEmptyAndUnevenShards) {
  for (const std::vector<int64_t>& cuts :
       {std::vector<int64_t>{0, 0, 5}, {0, 5, 5}, {0, 0, 0, 0}, {0, 1, 1, 30, 31, 31, 90}}) {
    ExpectShardTreeEqual(9, 17, cuts);
    ExpectShardTreeEqual(128, 100, cuts);
  }
}

TEST(MatmulShardTreeTest, EqualsItsTwinAtLargerSizes) {
  ExpectShardTreeEqual(128, 300, EvenCuts(8, 128));
  ExpectShardTreeEqual(10, 128, EvenCuts(8, 500));
  // So many examples that C is cut into blocks.
  ExpectShardTreeEqual(60, 110, EvenCuts(3, 12000));
}

}  // namespace
}  // namespace lockstep::kernels
