#include "engine/autograd/graph_dot.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "engine/autograd/activation_ops.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/reduction_ops.h"
#include "gtest/gtest.h"

namespace lockstep::autograd {
namespace {

int LinesWith(const std::string& text, const std::string& part) {
  int count = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    count += absl::StrContains(line, part);
  }
  return count;
}

// The reference case: (x * 2 + 1).relu() at 1.
TEST(GraphDotTest, DrawsDataGradientsAndOperations) {
  const Variable x(Tensor::Scalar(1), true);
  GraphDrawing drawing;
  const Variable y = Relu(x * 2 + 1);
  y.Backward();
  drawing.Name(x, "x");
  EXPECT_EQ(drawing.Dot(y), R"(digraph {
  rankdir=LR;
  v0 [shape=record, label="{ data 3.0000 | grad 1.0000 }"];
  v1 [shape=record, label="{ data 3.0000 | grad 1.0000 }"];
  v2 [shape=record, label="{ data 2.0000 | grad 1.0000 }"];
  v3 [shape=record, label="{ data 1.0000 | grad  }"];
  v4 [shape=record, label="{ x | data 1.0000 | grad 2.0000 }"];
  v5 [shape=record, label="{ data 2.0000 | grad  }"];
  op0 [label="relu"];
  op1 [label="add"];
  op2 [label="multiply"];
  op0 -> v0;
  v1 -> op0;
  op1 -> v1;
  v2 -> op1;
  v3 -> op1;
  op2 -> v2;
  v4 -> op2;
  v5 -> op2;
}
)");
}

TEST(GraphDotTest, LeavesOutWhatTheRootDoesNotDependOn) {
  const Variable x(Tensor::Scalar(1), true);
  GraphDrawing drawing;
  const Variable y = x * x;
  Exp(y);
  const std::string dot = drawing.Dot(y, DotDirection::kTopToBottom);
  EXPECT_EQ(LinesWith(dot, "rankdir=TB"), 1);
  EXPECT_EQ(LinesWith(dot, "->"), 3);  // x goes in twice
  EXPECT_EQ(LinesWith(dot, "label"), 3);
  EXPECT_EQ(LinesWith(dot, "exp"), 0);
}

TEST(GraphDotTest, ShowsLargeTensorsByTheirShape) {
  const Variable x(Tensor::Full({2, 3}, 1), true), small(Tensor::Full({2}, 0.5), true);
  GraphDrawing drawing;
  drawing.Name(small, "a|b");
  const Variable y = Sum(x) + Sum(small);
  const std::string dot = drawing.Dot(y);
  EXPECT_EQ(LinesWith(dot, "data shape [2, 3] | grad  }"), 1);
  EXPECT_EQ(LinesWith(dot, "a\\|b | data [0.5, 0.5]"), 1);
}

}  // namespace
}  // namespace lockstep::autograd
