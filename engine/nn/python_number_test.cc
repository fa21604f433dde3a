#include "engine/nn/python_number.h"

#include "gtest/gtest.h"

namespace lockstep::nn {
namespace {

TEST(PythonNumberTest, PrintsTheShortestTextThatReadsBack) {
  EXPECT_EQ(PythonNumber(0), "0.0");
  EXPECT_EQ(PythonNumber(1), "1.0");
  EXPECT_EQ(PythonNumber(-0.01), "-0.01");
  EXPECT_EQ(PythonNumber(0.1), "0.1");
  EXPECT_EQ(PythonNumber(0.30000000000000004), "0.30000000000000004");
  EXPECT_EQ(PythonNumber(1234.5), "1234.5");
  EXPECT_EQ(PythonNumber(123456789), "123456789.0");
}

TEST(PythonNumberTest, WritesAnExponentWherePythonDoes) {
  EXPECT_EQ(PythonNumber(0.0001), "0.0001");
  EXPECT_EQ(PythonNumber(0.00001), "1e-05");
  EXPECT_EQ(PythonNumber(1.5e-12), "1.5e-12");
  EXPECT_EQ(PythonNumber(1e15), "1000000000000000.0");
  EXPECT_EQ(PythonNumber(1e16), "1e+16");
  EXPECT_EQ(PythonNumber(1e300 * 1e300), "inf");
}

}  // namespace
}  // namespace lockstep::nn
