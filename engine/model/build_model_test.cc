#include "engine/model/build_model.h"

#include <google/protobuf/text_format.h>

#include "absl/strings/str_cat.h"
#include "engine/model/field_error.h"
#include "engine/model/layer_fields.h"
#include "engine/model/layer_kinds.h"
#include "engine/nn/linear.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lockstep {
namespace {

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

v1::JobSpec Spec(const std::string& text) { return Parse<v1::JobSpec>(text); }

constexpr char kImageModel[] = R"(
  seed: 5
  model { flatten {} }
  model { linear { out_features: 16 } }
  model { relu {} }
  model { linear { out_features: 10 bias: false } }
  loss { cross_entropy {} }
  data_summary { classes: 10 })";

void ExpectError(const absl::Status& status, const std::string& path, const std::string& message,
                 absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  EXPECT_EQ(status.code(), code);
  EXPECT_EQ(FieldPathOf(status), path);
  EXPECT_EQ(FieldMessageOf(status), message);
}

TEST(BuildModelTest, InfersSizesFromTheExamples) {
  const auto model = BuildModel(Spec(kImageModel), {28, 28});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->Describe(),
            "Sequential(\n"
            "  (0): Flatten(start_dim=1, end_dim=-1)\n"
            "  (1): Linear(in_features=784, out_features=16, bias=True)\n"
            "  (2): ReLU()\n"
            "  (3): Linear(in_features=16, out_features=10, bias=False)\n"
            ")");
  EXPECT_EQ(PlanModel(Spec(kImageModel), {28, 28})->output_shape, (Shape{10}));
}

TEST(BuildModelTest, ThePlanHasTheModelsLayout) {
  const auto model = BuildModel(Spec(kImageModel), {28, 28});
  const auto plan = PlanModel(Spec(kImageModel), {28, 28});
  const nn::ParameterLayout layout = nn::ParameterLayout::Of(**model);
  ASSERT_EQ(plan->layout.slots().size(), layout.slots().size());
  for (size_t i = 0; i < layout.slots().size(); ++i) {
    EXPECT_EQ(plan->layout.slots()[i].name, layout.slots()[i].name);
    EXPECT_EQ(plan->layout.slots()[i].shape, layout.slots()[i].shape);
    EXPECT_EQ(plan->layout.slots()[i].offset_elements, layout.slots()[i].offset_elements);
  }
  EXPECT_EQ(plan->layout.total_elements(), layout.total_elements());
}

TEST(BuildModelTest, InitialValuesDependOnTheSeed) {
  v1::JobSpec spec = Spec(kImageModel);
  const auto weight = [&] {
    return (*BuildModel(spec, {2, 2}))->NamedParameters()[0].variable.value().ToString();
  };
  const std::string first = weight();
  EXPECT_EQ(first, weight());
  spec.set_seed(6);
  EXPECT_NE(first, weight());
}

// A layer of job.proto without a factory would be a promise not kept.
TEST(BuildModelTest, EveryLayerOfTheJobFileHasAFactory) {
  const auto* type = v1::LayerChoice::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto layer_case = static_cast<v1::LayerChoice::LayerCase>(type->field(i)->number());
    EXPECT_NE(FindLayerKind(layer_case), nullptr) << type->field(i)->name();
  }
  EXPECT_EQ(FindLayerKind(v1::LayerChoice::LAYER_NOT_SET), nullptr);
}

TEST(BuildModelTest, EveryLayerIsMade) {
  const auto model = BuildModel(Spec(R"(model { linear { out_features: 3 } } model { tanh {} }
      model { sigmoid {} } model { linear { out_features: 1 } } loss { mse {} })"),
                                {4});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->layers()[1]->Describe(), "Tanh()");
  EXPECT_EQ((*model)->layers()[2]->Describe(), "Sigmoid()");
}

TEST(BuildModelTest, ImagesWithoutFlattenAreToldSo) {
  const v1::JobSpec spec = Spec("model { linear { out_features: 10 } } loss { cross_entropy {} }");
  ExpectError(PlanModel(spec, {28, 28}).status(), "model[0].linear.out_features",
              "cross_entropy wants one axis of classes, got outputs of shape [28, 10] for each "
              "example; put a flatten layer before the linear layers");
}

TEST(BuildModelTest, LinearOverTheLastAxisThenFlattenIsLegal) {
  const v1::JobSpec spec = Spec(R"(model { linear { out_features: 2 } } model { flatten {} }
      model { linear { out_features: 10 } } loss { cross_entropy {} })");
  EXPECT_EQ(PlanModel(spec, {28, 28})->output_shape, (Shape{10}));
  EXPECT_EQ(PlanModel(spec, {28, 28})->layout.slots()[2].shape, (Shape{10, 56}));
}

TEST(BuildModelTest, OutputsMustFitTheLoss) {
  v1::JobSpec spec = Spec(kImageModel);
  spec.mutable_data_summary()->set_classes(11);
  ExpectError(PlanModel(spec, {4}).status(), "model[3].linear.out_features",
              "got 10 outputs, want at least 11: the labels go from 0 to 10");
  spec.mutable_data_summary()->set_classes(0);
  EXPECT_EQ(FieldPathOf(PlanModel(spec, {4}).status()), "loss.cross_entropy");
  spec.clear_data_summary();
  EXPECT_TRUE(PlanModel(spec, {4}).ok());
  spec.mutable_loss()->mutable_mse();
  ExpectError(PlanModel(spec, {4}).status(), "model[3].linear.out_features",
              "mse wants one output, as the data has one label column, got outputs of shape [10]");
}

TEST(BuildModelTest, MalformedModelsAreErrors) {
  ExpectError(PlanModel(Spec(""), {4}).status(), "model", "missing, want at least one layer");
  ExpectError(PlanModel(Spec("model { relu {} }"), {4}).status(), "model",
              "got no layer with parameters, want at least one, such as a linear layer");
  ExpectError(PlanModel(Spec("model {}"), {4}).status(), "model[0]",
              absl::StrCat("missing, want a layer: ", LayerNames()));
  ExpectError(PlanModel(Spec("model { linear {} }"), {4}).status(), "model[0].linear.out_features",
              "got 0, want 1 to 16777216");
  ExpectError(PlanModel(Spec("model { linear { out_features: 4294967295 } }"), {4}).status(),
              "model[0].linear.out_features", "got 4294967295, want 1 to 16777216");
  EXPECT_EQ(FieldPathOf(PlanModel(Spec("model { linear { out_features: 1 } }"), {}).status()),
            "model[0].linear");
}

TEST(BuildModelTest, HostileSizesAreErrors) {
  const v1::JobSpec spec = Spec("model { flatten {} } model { linear { out_features: 16777216 } }");
  for (const Shape& shape :
       {Shape{0}, Shape{-5}, Shape{int64_t{1} << 62}, Shape{int64_t{1} << 40, int64_t{1} << 40}}) {
    EXPECT_EQ(FieldPathOf(PlanModel(spec, shape).status()), "data") << shape.ToString();
  }
  EXPECT_EQ(FieldPathOf(PlanModel(spec, {int64_t{1} << 40}).status()), "model[1].linear");
  // 2^44 bytes: a legal plan, but no machine of today holds the model.
  EXPECT_EQ(BuildModel(spec, {int64_t{1} << 20}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

// ---- Layers of layers.

TEST(BuildModelTest, NestedLayersAreModulesWithTheirIndices) {
  const v1::JobSpec spec = Spec(R"(
    model { residual { layers { linear { out_features: 4 } } layers { relu {} }
                       shortcut { linear { out_features: 4 bias: false } } } }
    model { repeat { times: 2 layers { sequential { layers { linear { out_features: 3 } } } } } }
    model { reshape { shape: 1 shape: -1 } } model { flatten {} }
    loss { cross_entropy {} })");
  const auto plan = PlanModel(spec, {2});
  ASSERT_TRUE(plan.ok()) << plan.status();
  std::vector<std::string> names;
  for (const nn::ParameterSlot& slot : plan->layout.slots()) names.push_back(slot.name);
  EXPECT_EQ(names, (std::vector<std::string>{"0.layers.0.weight", "0.layers.0.bias",
                                             "0.shortcut.0.weight", "1.0.0.0.weight",
                                             "1.0.0.0.bias", "1.1.0.0.weight", "1.1.0.0.bias"}));
  EXPECT_EQ(plan->layout.slots()[3].shape, (Shape{3, 4}));
  EXPECT_EQ(plan->layout.slots()[5].shape, (Shape{3, 3}));
  EXPECT_EQ(plan->output_shape, (Shape{3}));
}

TEST(BuildModelTest, ErrorsOfNestedLayersNameThem) {
  const char* const cases[][3] = {
      {"model { residual { layers { linear { out_features: 3 } } } }", "model[0].residual",
       "residual: got outputs of shape [3] from its layers and [2] from its shortcut, want the "
       "same shape"},
      {"model { relu {} } model { residual { layers { repeat { times: 2 layers { linear {} } } } } "
       "}",
       "model[1].residual.layers[0].repeat.layers[0].linear.out_features",
       "got 0, want 1 to 16777216"},
      {"model { sequential { layers { relu {} } layers { reshape { shape: 3 } } } }",
       "model[0].sequential.layers[1].reshape",
       "reshape: got an example of shape [2] (2 elements), want as many as [3] has"},
      {"model { repeat { times: 3 layers { linear { out_features: 7 } } } }",
       "model[0].repeat.layers[0].linear.out_features",
       "mse wants one output, as the data has one label column, got outputs of shape [7]"}};
  for (const auto& [text, path, message] : cases) {
    ExpectError(PlanModel(Spec(absl::StrCat(text, " loss { mse {} }")), {2}).status(), path,
                message);
  }
}

TEST(BuildModelTest, HostileNestingIsRefusedAtOnce) {
  std::string text = "linear { out_features: 1 }";
  for (int i = 0; i < 6; ++i) {
    text = absl::StrCat("repeat { times: 10000 layers { ", text, " } }");
  }
  EXPECT_THAT(PlanModel(Spec(absl::StrCat("model { ", text, " }")), {2}).status().message(),
              testing::HasSubstr("got more than 10000 layers with repetitions"));
  // Ready models are only taken apart where they are built.
  v1::JobSpec spec = Spec(
      "model { repeat { times: 3000 layers { mlp { hidden: [2, 2, 2] "
      "outputs: 2 } } } }");
  ExpectError(PlanModel(spec, {2}).status(), "model[0].repeat.layers[0].mlp",
              "got more than 10000 layers, ready models taken apart, want at most 10000");
}

// ---- Ready models.

TEST(BuildModelTest, AnMlpStandsForItsLayers) {
  const auto mlp = BuildModel(
      Spec(R"(model { mlp { hidden: [5, 4] activation: ACTIVATION_TANH } } loss { cross_entropy {} }
              data_summary { classes: 3 } seed: 3)"),
      {2, 3});
  const auto layers = BuildModel(
      Spec(R"(model { sequential { layers { flatten {} } layers { linear { out_features: 5 } }
                layers { tanh {} } layers { linear { out_features: 4 } } layers { tanh {} }
                layers { linear { out_features: 3 } } } } loss { cross_entropy {} } seed: 3)"),
      {2, 3});
  ASSERT_TRUE(mlp.ok() && layers.ok()) << mlp.status() << layers.status();
  EXPECT_EQ((*mlp)->Describe(), (*layers)->Describe());
  EXPECT_EQ((*mlp)->NamedParameters()[4].name, "0.5.weight");
  EXPECT_EQ((*mlp)->NamedParameters()[4].variable.value().ToString(),
            (*layers)->NamedParameters()[4].variable.value().ToString());
}

TEST(BuildModelTest, AReadyModelsErrorsAreItsOwn) {
  ExpectError(PlanModel(Spec("model { mlp {} } loss { cross_entropy {} }"), {2}).status(),
              "model[0].mlp.outputs",
              "missing, want it, as the data's labels do not say how many classes there are");
  ExpectError(PlanModel(Spec(R"(model { mlp { hidden: [16777216, 16777216] outputs: 1 } }
                                loss { mse {} })"),
                        {int64_t{1} << 40})
                  .status(),
              "model[0].mlp",
              "got a parameter of shape [16777216, 1099511627776], want 1 to 2^48 elements");
  EXPECT_EQ(PlanModel(Spec("model { mlp {} } loss { mse {} }"), {2})->output_shape, (Shape{1}));
}

// ---- Layers of the user's own.

LayerRegistry Widths() {
  LayerRegistry layers;
  EXPECT_TRUE(layers
                  .Add("wide",
                       [](LayerOptions& options,
                          const Shape& input) -> absl::StatusOr<std::shared_ptr<nn::Module>> {
                         const int64_t width = options.WholeNumber("width", 1, 100);
                         if (input.rank() != 1) return absl::InvalidArgumentError("want one axis");
                         return std::make_shared<nn::Linear>(input.dim(0), width);
                       })
                  .ok());
  return layers;
}

TEST(BuildModelTest, CustomLayersComeFromTheRegistry) {
  const v1::JobSpec spec = Spec(R"(
    model { custom { name: "wide" options { key: "width" value: "1" } } } loss { mse {} })");
  const auto plan = PlanModel(spec, {3}, Widths());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layout.slots()[0].shape, (Shape{1, 3}));
  ExpectError(PlanModel(spec, {3}).status(), "model[0].custom.name",
              "got a layer that this program was not built with, known: none",
              absl::StatusCode::kFailedPrecondition);
  ExpectError(PlanModel(spec, {3, 3}, Widths()).status(), "model[0].custom", "want one axis");
}

TEST(BuildModelTest, CustomLayersOptionsAreChecked) {
  const auto plan = [](const char* custom) {
    return PlanModel(Spec(absl::StrCat("model { custom { ", custom, " } } loss { mse {} }")), {3},
                     Widths())
        .status();
  };
  ExpectError(plan("name: \"wide\""), "model[0].custom.options.width",
              "missing, want a whole number from 1 to 100");
  ExpectError(plan("name: \"wade\""), "model[0].custom.name",
              "got a layer that this program was not built with, known: wide",
              absl::StatusCode::kFailedPrecondition);
  ExpectError(plan("name: \"wide\" options { key: \"width\" value: \"1\" } "
                   "options { key: \"depth\" value: \"1\" }"),
              "model[0].custom.options.depth", "unknown option, known: width");
}

TEST(MakeOptimizerTest, FloatsMeanTheirDecimals) {
  const auto sgd = MakeOptimizer(
      Parse<v1::OptimizerChoice>("sgd { learning_rate: 0.1 momentum: 0.9 nesterov: true }"));
  ASSERT_TRUE(sgd.ok()) << sgd.status();
  EXPECT_EQ((*sgd)->Describe(),
            "Sgd(learning_rate=0.1, momentum=0.9, weight_decay=0, nesterov=True)");
  EXPECT_EQ((*sgd)->state_count(), 1);
}

// A default and the same number written out must give the same bits.
TEST(MakeOptimizerTest, DefaultsAreJobProtos) {
  const auto unset = MakeOptimizer(Parse<v1::OptimizerChoice>("adam {}"));
  const auto written = MakeOptimizer(Parse<v1::OptimizerChoice>(
      "adam { learning_rate: 0.001 beta1: 0.9 beta2: 0.999 epsilon: 1e-8 weight_decay: 0 }"));
  ASSERT_TRUE(unset.ok() && written.ok());
  const float gradient[] = {0.3f}, parameter[] = {1.1f};
  float values[2], moments[2][2] = {};
  int i = 0;
  for (const optim::Optimizer* optimizer : {unset->get(), written->get()}) {
    const absl::Span<float> state[] = {absl::MakeSpan(&moments[i][0], 1),
                                       absl::MakeSpan(&moments[i][1], 1)};
    optimizer->Update(0, 1, 1, gradient, parameter, state, absl::MakeSpan(&values[i], 1));
    ++i;
  }
  EXPECT_EQ(values[0], values[1]);
  EXPECT_EQ(moments[0][1], moments[1][1]);
}

TEST(MakeOptimizerTest, FieldsOutOfRangeAreNamed) {
  const auto path = [](const char* text) {
    return FieldPathOf(MakeOptimizer(Parse<v1::OptimizerChoice>(text)).status());
  };
  EXPECT_EQ(path(""), "optimizer");
  EXPECT_EQ(path("sgd {}"), "optimizer.sgd.learning_rate");
  EXPECT_EQ(path("sgd { learning_rate: inf }"), "optimizer.sgd.learning_rate");
  EXPECT_EQ(path("sgd { learning_rate: 1 momentum: 1 }"), "optimizer.sgd.momentum");
  EXPECT_EQ(path("sgd { learning_rate: 1 weight_decay: nan }"), "optimizer.sgd.weight_decay");
  EXPECT_EQ(path("sgd { learning_rate: 1 nesterov: true }"), "optimizer.sgd.nesterov");
  EXPECT_EQ(path("adam { learning_rate: 0 }"), "optimizer.adam.learning_rate");
  EXPECT_EQ(path("adam { beta1: -1 }"), "optimizer.adam.beta1");
  EXPECT_EQ(path("adam { beta2: 1 }"), "optimizer.adam.beta2");
  EXPECT_EQ(path("adam { epsilon: 0 }"), "optimizer.adam.epsilon");
}

TEST(MakeScheduleTest, KindsAndDefaults) {
  const auto schedule = [](const char* text) {
    return *MakeSchedule(Parse<v1::ScheduleChoice>(text));
  };
  EXPECT_EQ(schedule("").Factor(0, 10, 5), 1);
  EXPECT_EQ(schedule("constant { warmup_steps: 2 }").Factor(1, 10, 5), 0.5);
  EXPECT_EQ(schedule("step { step_size: 1 }").Factor(5, 10, 5), 0.1);
  EXPECT_EQ(schedule("cosine {}").Factor(5, 10, 5), 0.5);
  EXPECT_EQ(schedule("linear { final_factor: 0.5 }").Factor(5, 10, 5), 0.75);
}

TEST(MakeScheduleTest, FieldsOutOfRangeAreNamed) {
  const auto path = [](const char* text) {
    return FieldPathOf(MakeSchedule(Parse<v1::ScheduleChoice>(text)).status());
  };
  EXPECT_EQ(path("step {}"), "learning_rate_schedule.step.step_size");
  EXPECT_EQ(path("step { step_size: 1 gamma: 0 }"), "learning_rate_schedule.step.gamma");
  EXPECT_EQ(path("cosine { final_factor: 2 }"), "learning_rate_schedule.cosine.final_factor");
  EXPECT_EQ(path("linear { final_factor: nan }"), "learning_rate_schedule.linear.final_factor");
}

TEST(MakeLossTest, Kinds) {
  EXPECT_TRUE((*MakeLoss(Parse<v1::LossChoice>("cross_entropy {}")))->has_classes());
  EXPECT_FALSE((*MakeLoss(Parse<v1::LossChoice>("mse {}")))->has_classes());
  EXPECT_EQ(FieldPathOf(MakeLoss(v1::LossChoice()).status()), "loss");
}

}  // namespace
}  // namespace lockstep
