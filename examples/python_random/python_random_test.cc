#include "examples/python_random/python_random.h"

#include <gtest/gtest.h>

namespace lockstep::examples {
namespace {

// Python 3: random.seed(1337); [random.random() for _ in range(700)], of which
// the first three and the last, which lies behind the first 624 words.
TEST(PythonRandomTest, GivesPythonsNumbers) {
  PythonRandom random(1337);
  EXPECT_EQ(random.Random(), 0.6177528569514706);
  EXPECT_EQ(random.Random(), 0.5332655736050008);
  EXPECT_EQ(random.Random(), 0.36584835924937553);
  double last = 0;
  for (int i = 3; i < 700; ++i) last = random.Random();
  EXPECT_EQ(last, 0.42609675625075294);
}

TEST(PythonRandomTest, UniformIsPythons) {
  PythonRandom random(42);
  EXPECT_EQ(random.Uniform(-1, 1), 0.2788535969157675);
}

}  // namespace
}  // namespace lockstep::examples
