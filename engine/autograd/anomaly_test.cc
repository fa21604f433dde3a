#include "engine/autograd/anomaly.h"

#include <cmath>
#include <string>
#include <vector>

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/reduction_ops.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

Variable Values(const std::vector<float>& values) {
  return Variable(Tensor::FromVector({static_cast<int64_t>(values.size())}, values), true);
}

TEST(AnomalyTest, FiniteRunsHaveNothingToReport) {
  AnomalyGuard guard;
  Sum(Log(Values({1, 2}))).Backward();
  EXPECT_EQ(guard.report(), "");
}

TEST(AnomalyTest, NamesTheFirstOperationForward) {
  AnomalyGuard guard;
  const Variable x = Values({1, 0, 2});
  Exp(Log(x) * 0.0);
  EXPECT_EQ(guard.report(),
            "forward of log gave -inf at element 1 of its result [3] from inputs [3]");
}

TEST(AnomalyTest, TellsWhenAnInputWasNotFinite) {
  AnomalyGuard guard;
  Values({1, NAN}) + Variable(Tensor::Full({2, 2}, 1));
  EXPECT_EQ(guard.report(),
            "forward of add gave nan at element 1 of its result [2, 2] from inputs [2], [2, 2]; "
            "input 0 already held nan at element 1");
}

TEST(AnomalyTest, NamesTheFirstOperationBackward) {
  const Variable x = Values({4, 0});
  const Variable root = Sum(Power(x, 0.5) * 2.0);
  AnomalyGuard guard;
  root.Backward();
  EXPECT_EQ(guard.report(),
            "backward of power gave inf at element 1 of the gradient of its input 0 [2] from an "
            "upstream gradient [2]");
}

TEST(AnomalyTest, WatchesEvaluationToo) {
  NoGradGuard no_grad;
  AnomalyGuard guard;
  Values({1}) / 0.0;
  EXPECT_NE(guard.report().find("forward of divide gave inf"), std::string::npos);
}

TEST(AnomalyTest, GuardsNestAndEnd) {
  AnomalyGuard outer;
  {
    AnomalyGuard inner;
    Values({1}) / 0.0;
    EXPECT_NE(inner.report(), "");
  }
  EXPECT_NE(outer.report(), "");
  AnomalyGuard later;
  EXPECT_EQ(later.report(), "");
}

}  // namespace
}  // namespace lockstep::autograd
