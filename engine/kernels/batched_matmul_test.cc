#include "engine/kernels/batched_matmul.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/matmul.h"

namespace lockstep::kernels {
namespace {

// shared: one right operand for the whole batch.
void ExpectEqual(int64_t batch, int64_t m, int64_t n, int64_t k, bool a_transposed,
                 bool b_transposed, bool shared) {
  SCOPED_TRACE(testing::Message() << batch << " of " << m << " x " << n << " x " << k
                                  << ", transposed " << a_transposed << b_transposed << ", shared "
                                  << shared);
  const std::vector<float> a = RandomFloats(batch * m * k, 1);
  const std::vector<float> b = RandomFloats((shared ? 1 : batch) * k * n, 2);
  const int64_t b_stride = shared ? 0 : k * n;
  std::vector<float> want(batch * m * n);
  for (int64_t i = 0; i < batch; ++i) {
    reference::Matmul(m, n, k, {a.data() + i * m * k, a_transposed},
                      {b.data() + i * b_stride, b_transposed}, nullptr, Activation::kNone,
                      want.data() + i * m * n);
  }
  OnEverySetAndThreadCount([&] {
    std::vector<float> got(want.size(), -77.0f);
    BatchedMatmul(batch, m, n, k, {{a.data(), a_transposed}, m * k},
                  {{b.data(), b_transposed}, b_stride}, got.data());
    EXPECT_TRUE(BitEqual(want, got));
  });
}

TEST(BatchedMatmulTest, EqualsItsTwin) {
  for (int form = 0; form < 8; ++form) {
    const bool a = form & 1, b = form & 2, shared = form & 4;
    ExpectEqual(5, 7, 17, 9, a, b, shared);
    ExpectEqual(37, 12, 32, 16, a, b, shared);
    ExpectEqual(3, 64, 65, 63, a, b, shared);
    ExpectEqual(1, 1, 1, 1, a, b, shared);
  }
}

TEST(BatchedMatmulTest, EmptyExtents) {
  ExpectEqual(0, 3, 4, 5, false, false, false);
  ExpectEqual(3, 0, 4, 5, false, false, false);
  ExpectEqual(3, 2, 4, 0, false, false, true);
}

TEST(BatchedMatmulTest, LargeProductsEqualTheirTwins) {
  ExpectEqual(2, 210, 205, 200, false, true, false);
}

}  // namespace
}  // namespace lockstep::kernels
