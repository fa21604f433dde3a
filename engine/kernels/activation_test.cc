#include "engine/kernels/activation.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/activation.h"

namespace lockstep::kernels {
namespace {

// Nothing, less than a vector, vectors +- 1, and enough for several threads.
const int64_t kSizes[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100, 70001};

struct Case {
  ActivationFunction f;
  ActivationConstants constants;
};
const Case kCases[] = {
    {ActivationFunction::kGelu, {}},
    {ActivationFunction::kGeluTanh, {}},
    {ActivationFunction::kSilu, {}},
    {ActivationFunction::kSoftplus, {1, 20}},
    {ActivationFunction::kSoftplus, {0.3, 5}},
    {ActivationFunction::kLeakyRelu, {0.01}},
    {ActivationFunction::kElu, {1.5}},
    {ActivationFunction::kHardtanh, {0, 6}},
    {ActivationFunction::kClamp, {-0.5, 0.75}},
};

void ExpectEqualTwins(const std::vector<float>& x, const std::vector<float>& dy) {
  const int64_t size = static_cast<int64_t>(x.size());
  std::vector<float> want(size), got(size);
  for (const auto& [f, constants] : kCases) {
    SCOPED_TRACE(testing::Message() << "function " << static_cast<int>(f) << ", size " << size);
    reference::Activate(f, constants, size, x.data(), want.data());
    Activate(f, constants, size, x.data(), got.data());
    EXPECT_TRUE(BitEqual(want, got));
    reference::ActivateBackward(f, constants, size, dy.data(), x.data(), want.data());
    ActivateBackward(f, constants, size, dy.data(), x.data(), got.data());
    EXPECT_TRUE(BitEqual(want, got)) << "backward";
  }
}

TEST(ActivationTest, EqualsItsTwin) {
  OnEverySetAndThreadCount([] {
    for (int64_t size : kSizes) ExpectEqualTwins(WildFloats(size, size), RandomFloats(size, 1));
  });
}

// The random floats above hit few arguments where exp is neither 0 nor infinity.
TEST(ActivationTest, EqualsItsTwinWhereTheFunctionsBend) {
  std::vector<float> x(60001);
  for (size_t i = 0; i < x.size(); ++i) x[i] = (static_cast<float>(i) - 30000.0f) * 0.00071f;
  const std::vector<float> dy = RandomFloats(x.size(), 2);
  OnEverySetAndThreadCount([&] { ExpectEqualTwins(x, dy); });
}

TEST(ActivationTest, AnOutputMayBeAnInput) {
  const std::vector<float> x = RandomFloats(70001, 3);
  const std::vector<float> dy = RandomFloats(70001, 4);
  const int64_t size = static_cast<int64_t>(x.size());
  std::vector<float> want(size);
  OnEverySetAndThreadCount([&] {
    std::vector<float> in_place = x;
    reference::Activate(ActivationFunction::kGelu, {}, size, x.data(), want.data());
    Activate(ActivationFunction::kGelu, {}, size, in_place.data(), in_place.data());
    EXPECT_TRUE(BitEqual(want, in_place));
    in_place = dy;
    reference::ActivateBackward(ActivationFunction::kGelu, {}, size, dy.data(), x.data(),
                                want.data());
    ActivateBackward(ActivationFunction::kGelu, {}, size, in_place.data(), x.data(),
                     in_place.data());
    EXPECT_TRUE(BitEqual(want, in_place));
  });
}

}  // namespace
}  // namespace lockstep::kernels
