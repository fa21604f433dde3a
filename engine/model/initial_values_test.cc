#include "engine/model/initial_values.h"

#include <google/protobuf/text_format.h>

#include "engine/model/build_model.h"
#include "engine/model/field_error.h"
#include "engine/nn/initializers.h"
#include "engine/nn/linear.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lockstep {
namespace {

v1::JobSpec Spec(const std::string& text) {
  v1::JobSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

std::string Values(const nn::Module& model, int i) {
  return model.NamedParameters()[i].variable.value().ToString();
}

// The values that a linear layer's weight gets as the model's parameter 2.
std::string Weight(const std::string& initializer) {
  const auto model = BuildModel(
      Spec("model { linear { out_features: 3 } } model { linear { out_features: 2 init { " +
           initializer +
           " } bias_init { constant { value: 0.5 } } } } loss { mse {} } seed: 7 "
           "data_summary { label_shape: 2 }"),
      {4});
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return "";
  EXPECT_EQ(Values(**model, 3), Tensor::Full({2}, 0.5f).ToString());
  return Values(**model, 2);
}

TEST(InitialValuesTest, EachInitializerMakesItsValues) {
  const nn::InitialValueKey key = {7, 2};
  const auto expect = [&](const std::string& text, const auto& initialize) {
    const autograd::Variable want = nn::MakeParameter({2, 3});
    initialize(want);
    EXPECT_EQ(Weight(text), want.value().ToString()) << text;
  };
  using autograd::Variable;
  expect("constant {}", [](const Variable& p) { nn::InitializeConstant(0, p); });
  expect("uniform { bound: 0.1 }", [&](const Variable& p) { nn::InitializeUniform(key, 0.1f, p); });
  expect("normal { mean: 1 standard_deviation: 0.02 }",
         [&](const Variable& p) { nn::InitializeNormal(key, 1, 0.02f, p); });
  expect("truncated_normal { standard_deviation: 0.5 }",
         [&](const Variable& p) { nn::InitializeTruncatedNormal(key, 0, 0.5f, -1, 1, p); });
  expect("xavier_uniform { gain: 2 }",
         [&](const Variable& p) { nn::InitializeXavierUniform(key, 2, p); });
  expect("xavier_normal {}", [&](const Variable& p) { nn::InitializeXavierNormal(key, 1, p); });
  expect("kaiming_uniform { gain: 1 fan: FAN_OUT }",
         [&](const Variable& p) { nn::InitializeKaimingUniform(key, 1, nn::FanMode::kFanOut, p); });
  expect("kaiming_normal { gain: 1 }",
         [&](const Variable& p) { nn::InitializeKaimingNormal(key, 1, nn::FanMode::kFanIn, p); });
  expect("orthogonal {}", [&](const Variable& p) { nn::InitializeOrthogonal(key, 1, p); });
}

TEST(InitialValuesTest, NormsKeepTheirOwn) {
  const auto model = BuildModel(Spec(R"(model { embedding { embedding_dim: 2 } }
              model { transformer_block { heads: 1 init { constant { value: 3 } }
                                          bias_init { constant { value: 4 } } } }
              model { linear { out_features: 5 } } loss { cross_entropy {} }
              data_summary { vocabulary: 5 classes: 5 label_shape: 4 })"),
                                {4});
  ASSERT_TRUE(model.ok()) << model.status();
  for (const nn::NamedParameter& parameter : (*model)->NamedParameters()) {
    if (parameter.name.rfind("1.", 0) != 0) continue;
    const bool bias = parameter.name.find("bias") != std::string::npos;
    const float want = bias ? 4.0f : parameter.name.find(".ln_") != std::string::npos ? 1.0f : 3.0f;
    EXPECT_EQ(parameter.variable.value().ToString(),
              Tensor::Full(parameter.variable.shape(), want).ToString())
        << parameter.name;
  }
}

TEST(InitialValuesTest, ValuesThatCannotBeMadeAreErrors) {
  const auto error = [](const std::string& linear) {
    return PlanModel(Spec("model { linear { " + linear + " } } loss { mse {} }"), {4}).status();
  };
  absl::Status status = error("out_features: 1 bias_init { xavier_uniform {} }");
  EXPECT_EQ(FieldPathOf(status), "model[0].linear.bias_init");
  EXPECT_EQ(FieldMessageOf(status),
            "got an initializer that needs two axes for bias of shape [1], want constant, uniform "
            "or normal");
  status = error("out_features: 1 init { normal { standard_deviation: -1 } }");
  EXPECT_EQ(FieldPathOf(status), "model[0].linear.init.normal.standard_deviation");
  EXPECT_EQ(FieldMessageOf(status), "got -1, want a finite number > 0");
  status = error("out_features: 1 init { uniform {} }");
  EXPECT_EQ(FieldPathOf(status), "model[0].linear.init.uniform.bound");
  status = error("out_features: 1 init {}");
  EXPECT_EQ(FieldPathOf(status), "model[0].linear.init");
  status = PlanModel(Spec("model { linear { out_features: 5000 init { orthogonal {} } } } "
                          "loss { mse {} }"),
                     {5000})
               .status();
  EXPECT_EQ(FieldMessageOf(status),
            "got orthogonal for weight of shape [5000, 5000], want at most 4096 rows or columns");
}

}  // namespace
}  // namespace lockstep
