#include "engine/model/layer_registry.h"

#include <gtest/gtest.h>

#include "engine/nn/activations.h"

namespace lockstep {
namespace {

TEST(LayerOptionsTest, ReadsWhatIsThere) {
  LayerOptions options({{"width", "12"}, {"rate", "0.5"}, {"bias", "false"}, {"kind", "b"}});
  EXPECT_EQ(options.WholeNumber("width", 1, 100), 12);
  EXPECT_EQ(options.Number("rate", 0, 1), 0.5);
  EXPECT_FALSE(options.Flag("bias", true));
  EXPECT_EQ(options.Word("kind", {"a", "b"}), "b");
  EXPECT_FALSE(options.FirstProblem().has_value());
}

TEST(LayerOptionsTest, DefaultsStandForWhatIsMissing) {
  LayerOptions options({});
  EXPECT_EQ(options.WholeNumber("width", 1, 100, 7), 7);
  EXPECT_EQ(options.Number("rate", 0, 1, 0.25), 0.25);
  EXPECT_TRUE(options.Flag("bias", true));
  EXPECT_EQ(options.Word("kind", {"a", "b"}, "b"), "b");
  EXPECT_FALSE(options.FirstProblem().has_value());
}

// What FirstProblem says after one read.
template <typename Read>
std::string ProblemOf(std::map<std::string, std::string> values, const Read& read) {
  LayerOptions options(std::move(values));
  read(options);
  const auto problem = options.FirstProblem();
  return problem.has_value() ? problem->option + ": " + problem->message : "";
}

TEST(LayerOptionsTest, NamesWhatIsWrong) {
  const auto width = [](LayerOptions& options) {
    EXPECT_EQ(options.WholeNumber("width", 2, 100), 2);
  };
  EXPECT_EQ(ProblemOf({}, width), "width: missing, want a whole number from 2 to 100");
  EXPECT_EQ(ProblemOf({{"width", "101"}}, width),
            "width: got '101', want a whole number from 2 to 100");
  EXPECT_EQ(ProblemOf({{"width", "2.5"}}, width),
            "width: got '2.5', want a whole number from 2 to 100");
  EXPECT_EQ(ProblemOf({{"rate", "nan"}}, [](auto& o) { o.Number("rate", 0, 1); }),
            "rate: got 'nan', want a number from 0 to 1");
  EXPECT_EQ(ProblemOf({{"bias", "yes"}}, [](auto& o) { o.Flag("bias", true); }),
            "bias: got 'yes', want true or false");
  EXPECT_EQ(ProblemOf({{"kind", "c"}},
                      [](auto& o) {
                        o.Word("kind", {"a", "b"});
                      }),
            "kind: got 'c', want one of: a, b");
}

TEST(LayerOptionsTest, WhatNobodyAsksForIsAMistake) {
  EXPECT_EQ(ProblemOf({{"widht", "1"}}, [](auto& o) { o.WholeNumber("width", 1, 9, 2); }),
            "widht: unknown option, known: width");
  EXPECT_EQ(ProblemOf({{"a", "1"}}, [](auto&) {}), "a: unknown option, known: none");
}

absl::StatusOr<std::shared_ptr<nn::Module>> MakeReLU(LayerOptions&, const Shape&) {
  return std::make_shared<nn::ReLU>();
}

TEST(LayerRegistryTest, FindsByName) {
  LayerRegistry registry;
  EXPECT_TRUE(registry.Add("b", MakeReLU).ok());
  EXPECT_TRUE(registry.Add("a", MakeReLU).ok());
  EXPECT_NE(registry.Find("a"), nullptr);
  EXPECT_EQ(registry.Find("c"), nullptr);
  EXPECT_EQ(registry.Names(), (std::vector<std::string>{"a", "b"}));
}

TEST(LayerRegistryTest, RefusesNamesThatAreTakenOrMalformed) {
  LayerRegistry registry;
  EXPECT_TRUE(registry.Add("swiglu_2", MakeReLU).ok());
  EXPECT_EQ(registry.Add("swiglu_2", MakeReLU).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(registry.Add("", MakeReLU).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(registry.Add("Swish", MakeReLU).message(),
            "custom layer: got the name 'Swish', want 1 to 64 characters of a-z 0-9 _");
}

}  // namespace
}  // namespace lockstep
