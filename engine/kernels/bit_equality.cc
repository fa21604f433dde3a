#include "engine/kernels/bit_equality.h"

#include <omp.h>

#include <cstring>

#include "engine/kernels/highway_targets.h"
#include "engine/kernels/instruction_set.h"
#include "hwy/highway.h"

namespace lockstep::kernels {
namespace {

// splitmix64.
uint64_t Scramble(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint32_t Bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

}  // namespace

testing::AssertionResult BitEqual(const std::vector<float>& expected,
                                  const std::vector<float>& got) {
  if (expected.size() != got.size()) {
    return testing::AssertionFailure()
           << "got " << got.size() << " elements, want " << expected.size();
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] != expected[i] && got[i] != got[i]) continue;
    if (Bits(expected[i]) == Bits(got[i])) continue;
    return testing::AssertionFailure()
           << std::hexfloat << "element " << i << ": got " << got[i] << ", want " << expected[i];
  }
  return testing::AssertionSuccess();
}

std::vector<float> RandomFloats(int64_t size, uint64_t seed) {
  std::vector<float> values(size);
  for (int64_t i = 0; i < size; ++i) {
    const auto number = static_cast<int64_t>(Scramble(seed * 1000003 + i) >> 40);  // 24 bits
    values[i] = static_cast<float>(number - (1 << 23)) * (1.0f / (1 << 22));
  }
  return values;
}

std::vector<float> WildFloats(int64_t size, uint64_t seed) {
  std::vector<float> values = RandomFloats(size, seed);
  for (int64_t i = 0; i < size; ++i) {
    const uint64_t random = Scramble(seed * 7919 + i);
    if (random % 3 == 0) continue;
    auto bits = static_cast<uint32_t>(random >> 32);
    if (random % 16 == 1) bits &= 0x80000000;                       // zero
    if (random % 16 == 2) bits &= 0x807fffff;                       // denormal
    if (random % 64 == 4) bits = (bits & 0x80000000) | 0x7f800000;  // infinity
    if (random % 64 == 5) bits = 0x7fc00000;                        // NaN
    std::memcpy(&values[i], &bits, sizeof(bits));
  }
  return values;
}

void OnEverySetAndThreadCount(const std::function<void()>& test) {
  const int threads_before = omp_get_max_threads();
  for (const std::string& set : AvailableInstructionSets()) {
    ASSERT_TRUE(LimitInstructionSet(set).ok());
    ASSERT_EQ(ActiveInstructionSet(), set);
    for (int threads = 1; threads <= kMostTestThreads; ++threads) {
      SCOPED_TRACE(testing::Message() << set << ", threads: " << threads);
      omp_set_num_threads(threads);
      test();
    }
  }
  omp_set_num_threads(1);
  if (HWY_TARGETS & HWY_SCALAR) {
    SCOPED_TRACE("scalar fallback");
    hwy::SetSupportedTargetsForTest(HWY_SCALAR);
    hwy::GetChosenTarget().Update(HWY_SCALAR);
    ASSERT_EQ(ActiveInstructionSet(), "none");
    test();
  }
  omp_set_num_threads(threads_before);
  ASSERT_TRUE(LimitInstructionSet("best").ok());
}

}  // namespace lockstep::kernels
