#include "client/job_file/yaml_to_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lockstep/v1/job.pb.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename M>
struct Read {
  explicit Read(absl::string_view text) {
    std::vector<JobFileProblem> found;
    const YamlTree tree = ParseYaml(text);
    EXPECT_THAT(tree.problems, IsEmpty());
    YamlToProto(tree.root, &message, &positions, &found);
    problems = FormatProblems("f", found);
  }
  M message;
  SourcePositions positions;
  std::vector<std::string> problems;
};
using ReadSpec = Read<v1::JobSpec>;

TEST(YamlToProtoTest, ReadsScalarsOfEveryTypeInUse) {
  const ReadSpec read(
      "name: 12\nseed: 18446744073709551615\nbatch_size: +64\nshuffle: false\n"
      "data: {validation_fraction: 1e-1, scaling: {mean: -.5, divide_by: 2.}}\n");
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.message.name(), "12");
  EXPECT_EQ(read.message.seed(), 18446744073709551615u);
  EXPECT_EQ(read.message.batch_size(), 64);
  EXPECT_FALSE(read.message.shuffle());
  EXPECT_TRUE(read.message.has_shuffle());
  EXPECT_EQ(read.message.data().validation_fraction(), 0.1);
  EXPECT_EQ(read.message.data().scaling().mean(), -0.5f);
  EXPECT_EQ(read.message.data().scaling().divide_by(), 2.0f);
}

TEST(YamlToProtoTest, ReadsLayersWithinLayers) {
  const ReadSpec read(
      "model:\n- residual:\n    layers:\n    - repeat: {times: 2, layers: [relu, {linear: "
      "{out_features: 3}}]}\n    shortcut: [flatten]\n");
  EXPECT_THAT(read.problems, IsEmpty());
  const v1::Residual& residual = read.message.model(0).residual();
  EXPECT_EQ(residual.layers(0).repeat().times(), 2);
  EXPECT_EQ(residual.layers(0).repeat().layers(1).linear().out_features(), 3);
  EXPECT_TRUE(residual.shortcut(0).has_flatten());
  EXPECT_EQ(read.positions.Nearest("model[0].residual.layers[0].repeat.layers[1].linear.bias"),
            (SourcePosition{4, 42}));
}

TEST(YamlToProtoTest, AListOfOneNumberMayBeTheNumber) {
  const ReadSpec read("model:\n- mlp: {hidden: 8}\n- mlp: {hidden: [9, 10]}\n- mlp: {hidden: x}\n");
  EXPECT_THAT(read.problems,
              ElementsAre(HasSubstr("model[2].mlp.hidden: got 'x' (text), want a whole number")));
  EXPECT_THAT(read.message.model(0).mlp().hidden(), ElementsAre(8));
  EXPECT_THAT(read.message.model(1).mlp().hidden(), ElementsAre(9, 10));
}

TEST(YamlToProtoTest, ReadsAMapOfNamesAndValues) {
  const ReadSpec read(
      "model:\n- custom: {name: a, options: {width: 12, bias: false, rate: 1e-3, kind: b}}\n"
      "- custom: {name: a, options: [1]}\n- custom: {name: a, options: {x: [1]}}\n");
  EXPECT_THAT(read.problems,
              ElementsAre(HasSubstr("custom.options: got a list, want a map of names and values"),
                          HasSubstr("custom.options.x: got a list, want text")));
  const auto& options = read.message.model(0).custom().options();
  EXPECT_EQ(options.size(), 4);
  EXPECT_EQ(options.at("width"), "12");
  EXPECT_EQ(options.at("bias"), "false");
  EXPECT_EQ(options.at("rate"), "1e-3");
  EXPECT_EQ(read.positions.Nearest("model[0].custom.options.rate"), (SourcePosition{2, 61}));
}

TEST(YamlToProtoTest, ReadsChoicesAsNameOrAsMapWithOneKey) {
  const ReadSpec read(
      "model:\n- linear: {out_features: 3, bias: false}\n- relu\n- tanh: {}\n- sigmoid:\n"
      "- {flatten: ~}\nloss: mse\n");
  EXPECT_THAT(read.problems, IsEmpty());
  ASSERT_EQ(read.message.model_size(), 5);
  EXPECT_EQ(read.message.model(0).linear().out_features(), 3);
  EXPECT_TRUE(read.message.model(0).linear().has_bias());
  EXPECT_TRUE(read.message.model(1).has_relu());
  EXPECT_TRUE(read.message.model(2).has_tanh());
  EXPECT_TRUE(read.message.model(3).has_sigmoid());
  EXPECT_TRUE(read.message.model(4).has_flatten());
  EXPECT_TRUE(read.message.loss().has_mse());
}

TEST(YamlToProtoTest, RemembersWhereFieldsWereWritten) {
  const ReadSpec read("seed: 7\nmodel:\n  - relu\n  - linear:\n      out_features: 3\n");
  EXPECT_EQ(read.positions.Nearest("seed"), (SourcePosition{1, 7}));
  EXPECT_EQ(read.positions.Nearest("model"), (SourcePosition{2, 1}));
  EXPECT_EQ(read.positions.Nearest("model[0].relu"), (SourcePosition{3, 5}));
  EXPECT_EQ(read.positions.Nearest("model[1].linear"), (SourcePosition{4, 5}));
  EXPECT_EQ(read.positions.Nearest("model[1].linear.out_features"), (SourcePosition{5, 21}));
  EXPECT_EQ(read.positions.Nearest("model[1].linear.bias"), (SourcePosition{4, 5}));
}

TEST(YamlToProtoTest, SuggestsTheNearestField) {
  EXPECT_THAT(ReadSpec("optimizer:\n  adam:\n    learning_rat: 1\n").problems,
              ElementsAre("f:3:5: optimizer.adam.learning_rat: unknown field, did you mean "
                          "'learning_rate'? (known: learning_rate, beta1, beta2, epsilon, "
                          "weight_decay, amsgrad)"));
  EXPECT_THAT(ReadSpec("data: {scaling: {zzzzz: 1}}").problems,
              ElementsAre("f:1:18: data.scaling.zzzzz: unknown field, known: divide_by, mean, "
                          "standard_deviation"));
  EXPECT_THAT(ReadSpec("model: [relu: {slope: 1}]").problems,
              ElementsAre("f:1:16: model[0].relu.slope: unknown field, known: none"));
}

TEST(YamlToProtoTest, DoesNotKnowTheFieldsThatTheClientSets) {
  const ReadSpec read("init_from_sha256: abc\ndata_summary: {classes: 3}\n");
  EXPECT_EQ(read.problems.size(), 2);
  for (const std::string& problem : read.problems) {
    EXPECT_THAT(problem, HasSubstr("unknown field"));
    EXPECT_THAT(problem, HasSubstr("known: name, seed, data, model, loss, optimizer, "
                                   "learning_rate_schedule, epochs, steps, batch_size, shards, "
                                   "shuffle, init_from, workers, checkpoint"));
  }
  EXPECT_FALSE(read.message.has_data_summary());
}

TEST(YamlToProtoTest, ReportsUnknownChoices) {
  EXPECT_THAT(
      ReadSpec("optimizer: adamm").problems,
      ElementsAre("f:1:12: optimizer: unknown optimizer 'adamm', did you mean 'adam'? "
                  "(known: sgd, adam, adamw, rmsprop, adagrad, adadelta, lamb, lion, muon)"));
  EXPECT_THAT(ReadSpec("model:\n  - linaer: {out_features: 3}\n").problems,
              ElementsAre(HasSubstr("f:2:5: model[0].linaer: unknown layer, did you mean 'linear'? "
                                    "(known: linear, relu, ")));
  EXPECT_THAT(
      ReadSpec("model:\n  - linear:\n    out_features: 3\n").problems,
      ElementsAre(AllOf(HasSubstr("f:3:5: model[0]: got 'out_features' beside 'linear', want "
                                  "one of: linear, relu, "),
                        HasSubstr("; its fields are indented below it"))));
  EXPECT_THAT(ReadSpec("loss: {}").problems,
              ElementsAre("f:1:1: loss: got an empty map, want one of: cross_entropy, mse, l1, "
                          "huber, nll, bce, bce_with_logits, hinge, "
                          "kl_divergence, cosine_embedding"));
  EXPECT_THAT(ReadSpec("loss:").problems,
              ElementsAre("f:1:1: loss: got nothing, want one of: cross_entropy, mse, l1, huber, "
                          "nll, bce, bce_with_logits, hinge, "
                          "kl_divergence, cosine_embedding"));
  EXPECT_THAT(ReadSpec("loss: [mse]").problems,
              ElementsAre("f:1:1: loss: got a list, want one of: cross_entropy, mse, l1, huber, "
                          "nll, bce, bce_with_logits, hinge, "
                          "kl_divergence, cosine_embedding"));
}

TEST(YamlToProtoTest, ReportsWrongTypes) {
  EXPECT_THAT(ReadSpec("batch_size: abc").problems,
              ElementsAre("f:1:13: batch_size: got 'abc' (text), want a whole number"));
  EXPECT_THAT(ReadSpec("batch_size: 1.5").problems,
              ElementsAre("f:1:13: batch_size: got '1.5' (number), want a whole number"));
  EXPECT_THAT(ReadSpec("batch_size: '5'").problems,
              ElementsAre("f:1:13: batch_size: got '5' (quoted text), want a whole number"));
  EXPECT_THAT(ReadSpec("batch_size: [5]").problems,
              ElementsAre("f:1:1: batch_size: got a list, want a whole number"));
  EXPECT_THAT(ReadSpec("batch_size:").problems,
              ElementsAre("f:1:1: batch_size: got nothing, want a whole number"));
  EXPECT_THAT(ReadSpec("shuffle: yes").problems,
              ElementsAre("f:1:10: shuffle: got 'yes' (text), want true or false"));
  EXPECT_THAT(ReadSpec("name: {a: b}").problems, ElementsAre("f:1:1: name: got a map, want text"));
  EXPECT_THAT(ReadSpec("workers: 3").problems,
              ElementsAre("f:1:10: workers: got '3' (number), want a map of fields (min, max)"));
  EXPECT_THAT(ReadSpec("model: relu").problems,
              ElementsAre("f:1:8: model: got 'relu' (text), want a list"));
  EXPECT_THAT(ReadSpec("optimizer: {sgd: {learning_rate: abc}}").problems,
              ElementsAre("f:1:34: optimizer.sgd.learning_rate: got 'abc' (text), want a number"));
  EXPECT_THAT(
      ReadSpec("optimizer: {sgd: {learning_rate: true}}").problems,
      ElementsAre("f:1:34: optimizer.sgd.learning_rate: got 'true' (truth value), want a number"));
}

TEST(YamlToProtoTest, ChecksTheRangesOfTypes) {
  EXPECT_THAT(ReadSpec("batch_size: 4294967296").problems,
              ElementsAre("f:1:13: batch_size: got '4294967296', want a whole number, 4294967295 "
                          "or less"));
  EXPECT_THAT(ReadSpec("seed: -1").problems,
              ElementsAre("f:1:7: seed: got '-1', want a whole number, 0 or more"));
  EXPECT_THAT(ReadSpec("seed: 18446744073709551616").problems,
              ElementsAre(HasSubstr("18446744073709551615 or less")));
  EXPECT_THAT(ReadSpec("optimizer: {sgd: {learning_rate: 1e39}}").problems,
              ElementsAre(HasSubstr("want a number that fits in 32 bits: it is too large")));
  EXPECT_THAT(ReadSpec("optimizer: {sgd: {learning_rate: 1e-60}}").problems,
              ElementsAre(HasSubstr("want a number that fits in 32 bits: it is too near to 0")));
  EXPECT_THAT(ReadSpec("optimizer: {sgd: {learning_rate: .inf}}").problems,
              ElementsAre(HasSubstr("got '.inf' (text), want a finite number")));
  EXPECT_THAT(ReadSpec("data: {validation_fraction: 1e999}").problems,
              ElementsAre(HasSubstr("want a number that fits in 64 bits: it is too large")));
  EXPECT_THAT(ReadSpec("data: {validation_fraction: 0e5}").problems, IsEmpty());
}

TEST(YamlToProtoTest, RoundsFloatsOnce) {
  // Between two floats, just above the middle: by way of double it would tie
  // and go to the even one below.
  const ReadSpec read("data: {scaling: {mean: 1.00000005960464477540}}");
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.message.data().scaling().mean(), 1.00000005960464477540f);
  EXPECT_NE(read.message.data().scaling().mean(), 1.0f);
}

TEST(YamlToProtoTest, ReadsEnumsInLowerCase) {
  const Read<v1::Job> read("state: succeeded");
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.message.state(), v1::SUCCEEDED);
  EXPECT_THAT(Read<v1::Job>("state: runing").problems,
              ElementsAre("f:1:8: state: got 'runing' (text), did you mean 'running'? (known: "
                          "queued, running, succeeded, failed, cancelled, paused)"));
  EXPECT_THAT(Read<v1::Job>("state: [1]").problems,
              ElementsAre(HasSubstr("state: got a list, known: queued")));
}

TEST(YamlToProtoTest, ReadsListsOfScalars) {
  const Read<v1::DataSummary> read("example_shape: [3, -4]");
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_THAT(read.message.example_shape(), ElementsAre(3, -4));
  EXPECT_THAT(Read<v1::DataSummary>("example_shape: [3, x]").problems,
              ElementsAre("f:1:20: example_shape[1]: got 'x' (text), want a whole number"));
}

TEST(YamlToProtoTest, RefusesAnythingButAMapAtTheTop) {
  EXPECT_THAT(ReadSpec("- a").problems, ElementsAre(HasSubstr("f:1:1: got a list, want a map")));
}

}  // namespace
}  // namespace lockstep::client
