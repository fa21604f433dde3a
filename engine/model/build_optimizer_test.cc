#include "engine/model/build_optimizer.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/model/field_error.h"

namespace lockstep {
namespace {

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

nn::ParameterLayout Layout() {
  return nn::ParameterLayout(
      {{"0.weight", Shape{4, 3}}, {"0.bias", Shape{4}}, {"1.weight", Shape{2, 4}}});
}

absl::StatusOr<optim::UpdateRules> Rules(const std::string& text) {
  return MakeUpdateRules(Parse<v1::JobSpec>(text), Layout());
}

std::string Description(const std::string& optimizer) {
  return Rules("optimizer { " + optimizer + " }")->rules[0].optimizer->Describe();
}

TEST(MakeUpdateRulesTest, FloatsMeanTheirDecimals) {
  EXPECT_EQ(Description("sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true }"),
            "Sgd(learning_rate=0.1, momentum=0.9, weight_decay=0, nesterov=True)");
}

TEST(MakeUpdateRulesTest, DefaultsAreJobProtos) {
  EXPECT_EQ(Description("adam {}"),
            "Adam(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0)");
  EXPECT_EQ(Description("adamw { amsgrad: true }"),
            "AdamW(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01, "
            "amsgrad=True)");
  EXPECT_EQ(Description("rmsprop {}"),
            "Rmsprop(learning_rate=0.01, alpha=0.99, epsilon=1e-08, momentum=0, weight_decay=0, "
            "centered=False)");
  EXPECT_EQ(Description("adagrad {}"),
            "Adagrad(learning_rate=0.01, learning_rate_decay=0, initial_accumulator_value=0, "
            "epsilon=1e-10, weight_decay=0)");
  EXPECT_EQ(Description("adadelta {}"),
            "Adadelta(learning_rate=1, rho=0.9, epsilon=1e-06, weight_decay=0)");
  EXPECT_EQ(Description("lamb {}"),
            "Lamb(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-06, weight_decay=0)");
  EXPECT_EQ(Description("lion {}"),
            "Lion(learning_rate=0.0001, beta1=0.9, beta2=0.99, weight_decay=0)");
  EXPECT_EQ(Description("muon {}"),
            "Muon(learning_rate=0.001, momentum=0.95, weight_decay=0.1, epsilon=1e-07, "
            "newton_schulz_steps=5, nesterov=True, adjustment=original)");
}

TEST(MakeUpdateRulesTest, ParametersOfOneOptimizerShareIt) {
  const auto rules = Rules("optimizer { adam {} }");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->rules[0].optimizer, rules->rules[2].optimizer);
}

TEST(MakeUpdateRulesTest, MuonLeavesAllButMatricesToAdamW) {
  const auto rules = Rules("optimizer { muon { adamw { learning_rate: 0.5 } } }");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->rules[1].optimizer->Describe(),
            "AdamW(learning_rate=0.5, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.01)");
  EXPECT_EQ(rules->rules[2].optimizer->granularity(), optim::Granularity::kTensor);
}

TEST(MakeUpdateRulesTest, TheFirstGroupThatMatchesTakesAParameter) {
  const auto rules = Rules(R"(
    optimizer { adamw {} }
    parameter_groups { parameters: "*.bias" weight_decay: 0 }
    parameter_groups { parameters: ["0.*"] frozen: true }
    parameter_groups { parameters: "*" learning_rate_factor: 0.1 optimizer { sgd { learning_rate: 1 } } })");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->rules[0].optimizer, nullptr);
  EXPECT_EQ(rules->rules[1].optimizer->Describe(),
            "AdamW(learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0)");
  EXPECT_EQ(rules->rules[1].learning_rate_factor, 1);
  EXPECT_EQ(rules->rules[2].optimizer->Describe(),
            "Sgd(learning_rate=1, momentum=0, weight_decay=0, nesterov=False)");
  EXPECT_EQ(rules->rules[2].learning_rate_factor, 0.1);
}

TEST(MakeUpdateRulesTest, GroupsThatDoNothingAreNamed) {
  const absl::Status none =
      Rules("optimizer { adam {} } parameter_groups { parameters: \"*.wieght\" }").status();
  EXPECT_EQ(FieldPathOf(none), "parameter_groups[0].parameters");
  EXPECT_EQ(FieldMessageOf(none),
            "got *.wieght, which leaves the group without a parameter, want a pattern for one of "
            "0.weight, 0.bias, 1.weight that no earlier group takes");
  EXPECT_EQ(FieldPathOf(Rules("optimizer { adam {} } parameter_groups { parameters: \"*\" } "
                              "parameter_groups { parameters: \"*.bias\" }")
                            .status()),
            "parameter_groups[1].parameters");
  EXPECT_EQ(FieldPathOf(Rules("optimizer { adam {} } parameter_groups { parameters: \"*\" "
                              "frozen: true }")
                            .status()),
            "parameter_groups");
}

TEST(MakeUpdateRulesTest, ClippingAndAverage) {
  const auto rules =
      Rules("optimizer { adam {} } gradient_clipping { max_value: 0.1 max_norm: 5 } ema {}");
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->clipping.max_value, 0.1);
  EXPECT_EQ(rules->clipping.max_norm, 5);
  EXPECT_EQ(rules->average_decay, 0.999);
  EXPECT_EQ(Rules("optimizer { adam {} }")->average_decay, 0);
}

TEST(MakeScheduleTest, KindsAndDefaults) {
  const auto factor = [](const char* text, uint64_t step) {
    return MakeSchedule(Parse<v1::ScheduleChoice>(text)).Factor(step, 10, 5, 0.25);
  };
  EXPECT_EQ(factor("", 0), 1);
  EXPECT_EQ(factor("constant { warmup_steps: 2 }", 0), 0.5);
  EXPECT_EQ(factor("step { step_size: 1 }", 5), 0.1);
  EXPECT_EQ(factor("cosine {}", 5), 0.5);
  EXPECT_EQ(factor("linear { final_factor: 0.5 }", 5), 0.75);
  EXPECT_EQ(factor("multistep { milestones: 1 gamma: 0.5 }", 5), 0.5);
  EXPECT_EQ(factor("exponential { gamma: 0.5 }", 5), 0.5);
  EXPECT_EQ(factor("cosine_restarts { first_cycle_steps: 4 }", 6), 0.5);
  EXPECT_NEAR(factor("one_cycle {}", 0), 0.04, 1e-15);
  EXPECT_EQ(factor("inverse_square_root { warmup_steps: 1 }", 3), 0.5);
  EXPECT_EQ(factor("plateau {}", 3), 0.25);
}

TEST(MakePlateauTest, TakesItsFields) {
  optim::Plateau plateau = MakePlateau(
      Parse<v1::ScheduleChoice>("plateau { factor: 0.5 patience: 0 final_factor: 0.3 }"));
  for (uint64_t step = 1; step < 9; ++step) plateau.Observe(step, 1);
  EXPECT_EQ(plateau.factor(), 0.3);
}

}  // namespace
}  // namespace lockstep
