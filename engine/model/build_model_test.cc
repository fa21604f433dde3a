#include "engine/model/build_model.h"

#include <google/protobuf/text_format.h>

#include "engine/model/field_error.h"
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

void ExpectError(const absl::Status& status, const std::string& path, const std::string& message) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
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
  EXPECT_EQ(*OutputShape(Spec(kImageModel), {28, 28}), (Shape{10}));
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
  EXPECT_EQ(*OutputShape(spec, {28, 28}), (Shape{10}));
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
  ExpectError(PlanModel(Spec(""), {4}).status(), "model", "got no layers, want at least one");
  ExpectError(PlanModel(Spec("model { relu {} }"), {4}).status(), "model",
              "got no layer with parameters, want at least one linear layer");
  ExpectError(PlanModel(Spec("model {}"), {4}).status(), "model[0]",
              "missing, want a layer: linear, relu, tanh, sigmoid or flatten");
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

TEST(MakeLossTest, ReadsItsFields) {
  const autograd::Variable outputs(Tensor::FromVector({1, 2}, std::vector<float>{0, 4}));
  const auto loss_of = [&](const std::string& choice, const Tensor& labels) {
    return (*MakeLoss(Parse<v1::LossChoice>(choice)))->Forward(outputs, labels).losses.item();
  };
  const Tensor label = Tensor::FromVector({1}, std::vector<int64_t>{0});
  const Tensor targets = Tensor::Zeros({1, 2});
  EXPECT_NEAR(loss_of("cross_entropy {}", label), 4.0181499, 1e-6);
  EXPECT_NEAR(loss_of("cross_entropy {class_weights: [2, 1]}", label), 8.0362998, 1e-6);
  EXPECT_NEAR(loss_of("cross_entropy {label_smoothing: 1}", label), 2.0181499, 1e-6);
  EXPECT_EQ(loss_of("cross_entropy {ignore_index: 0}", label), 0);
  EXPECT_EQ(loss_of("nll {class_weights: [2, 1]}", label), 0);
  EXPECT_EQ(loss_of("mse {}", targets), 8);
  EXPECT_EQ(loss_of("l1 {}", targets), 2);
  EXPECT_EQ(loss_of("huber {}", targets), 1.75);
  EXPECT_EQ(loss_of("huber {delta: 2}", targets), 3);
  EXPECT_NEAR(loss_of("bce_with_logits {}", targets), 2.3556486, 1e-6);
  EXPECT_NEAR(loss_of("bce_with_logits {pos_weight: 2}", Tensor::Full({1, 2}, 1)), 0.7112970, 1e-6);
  EXPECT_EQ(loss_of("hinge {}", targets), 3);
  EXPECT_EQ(FieldPathOf(MakeLoss(v1::LossChoice()).status()), "loss");
}

TEST(PlanModelTest, AsksForAsManyOutputsAsLabels) {
  v1::JobSpec spec = Spec("model { linear { out_features: 3 } } loss { l1 {} }");
  spec.mutable_data_summary()->add_label_shape(3);
  EXPECT_TRUE(PlanModel(spec, {4}).ok());
  spec.mutable_data_summary()->set_label_shape(0, 2);
  ExpectError(PlanModel(spec, {4}).status(), "model[0].linear.out_features",
              "l1 wants as many outputs, as the data has 2 labels, got outputs of shape [3]");
}

TEST(PlanModelTest, AsksForClassesAtEveryPosition) {
  v1::JobSpec spec = Spec("model { linear { out_features: 3 } } loss { cross_entropy {} }");
  spec.mutable_data_summary()->add_label_shape(5);
  spec.mutable_data_summary()->set_classes(3);
  EXPECT_TRUE(PlanModel(spec, {5, 4}).ok());
  ExpectError(PlanModel(spec, {6, 4}).status(), "model[0].linear.out_features",
              "cross_entropy wants a row of classes for each of the labels [5], got outputs of "
              "shape [6, 3] for each example");
  spec.mutable_loss()->mutable_cross_entropy()->add_class_weights(1);
  ExpectError(PlanModel(spec, {5, 4}).status(), "loss.cross_entropy.class_weights",
              "got 1 weights, want one for each of the 3 outputs");
}

}  // namespace
}  // namespace lockstep
