#include "engine/kernels/recurrent.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/bit_equality.h"
#include "engine/kernels/reference/recurrent.h"

namespace lockstep::kernels {
namespace {

void ExpectEqual(const RecurrentExtents& e, bool with_bias, bool wild = false) {
  SCOPED_TRACE(testing::Message() << (e.cell == RecurrentCell::kLstm ? "lstm" : "gru") << ", "
                                  << e.examples << " examples, " << e.times << " times, "
                                  << e.hidden << " units, bias " << with_bias);
  const auto numbers = wild ? WildFloats : RandomFloats;
  const int64_t width = e.gates() * e.hidden, rows = e.examples * e.times;
  const std::vector<float> input = numbers(rows * width, 1), weight = numbers(width * e.hidden, 2);
  const std::vector<float> bias = numbers(width, 3), dout = numbers(rows * e.hidden, 4);
  const float* bias_data = with_bias ? bias.data() : nullptr;
  std::vector<float> y(rows * e.hidden), gates(rows * width), state(rows * e.hidden);
  std::vector<float> dx(rows * width), dr(rows * width);
  reference::Recurrent(e, input.data(), weight.data(), bias_data, y.data(), gates.data(),
                       state.data());
  reference::RecurrentBackward(e, weight.data(), y.data(), gates.data(), state.data(), dout.data(),
                               dx.data(), dr.data());
  OnEverySetAndThreadCount([&] {
    std::vector<float> got(y.size(), -77.0f), got_gates(gates.size(), -77.0f);
    std::vector<float> got_state(state.size(), -77.0f);
    Recurrent(e, input.data(), weight.data(), bias_data, got.data(), nullptr, nullptr);
    EXPECT_TRUE(BitEqual(y, got));
    got.assign(got.size(), -77.0f);
    Recurrent(e, input.data(), weight.data(), bias_data, got.data(), got_gates.data(),
              got_state.data());
    EXPECT_TRUE(BitEqual(y, got));
    EXPECT_TRUE(BitEqual(gates, got_gates));
    EXPECT_TRUE(BitEqual(state, got_state));
    std::vector<float> got_dx(dx.size(), -77.0f), got_dr(dr.size(), -77.0f);
    RecurrentBackward(e, weight.data(), y.data(), gates.data(), state.data(), dout.data(),
                      got_dx.data(), got_dr.data());
    EXPECT_TRUE(BitEqual(dx, got_dx));
    EXPECT_TRUE(BitEqual(dr, got_dr));
  });
}

TEST(RecurrentTest, EqualsItsTwinAtTheTilesEdges) {
  for (RecurrentCell cell : {RecurrentCell::kLstm, RecurrentCell::kGru}) {
    for (int64_t examples : {1, 2, 6, 7, 13}) {
      for (int64_t hidden : {1, 7, 8, 16, 17}) {
        ExpectEqual({cell, examples, 3, hidden}, examples % 2 == 0);
      }
    }
  }
}

TEST(RecurrentTest, EqualsItsTwinAtLargerSizes) {
  for (RecurrentCell cell : {RecurrentCell::kLstm, RecurrentCell::kGru}) {
    ExpectEqual({cell, 9, 11, 65}, true);
    ExpectEqual({cell, 3, 2, 128}, true);
  }
}

TEST(RecurrentTest, EqualsItsTwinOnWildNumbers) {
  for (RecurrentCell cell : {RecurrentCell::kLstm, RecurrentCell::kGru}) {
    ExpectEqual({cell, 30, 2, 1}, true, true);
    ExpectEqual({cell, 12, 2, 3}, false, true);
  }
}

TEST(RecurrentTest, EmptyExtents) {
  for (RecurrentCell cell : {RecurrentCell::kLstm, RecurrentCell::kGru}) {
    ExpectEqual({cell, 0, 3, 4}, true);
    ExpectEqual({cell, 3, 0, 4}, true);
  }
}

}  // namespace
}  // namespace lockstep::kernels
