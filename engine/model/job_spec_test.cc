#include "engine/model/job_spec.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"

namespace lockstep {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kValid[] = R"pb(
  name: "digits"
  data { train { csv { path: "train.csv" } } }
  model { linear { out_features: 10 } }
  loss { cross_entropy {} }
  optimizer { sgd { learning_rate: 0.1 } }
  epochs: 3
  batch_size: 64
)pb";

// kValid with `text` merged into it.
v1::JobSpec Spec(const std::string& text = "") {
  v1::JobSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kValid, &spec));
  v1::JobSpec more;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &more)) << text;
  spec.MergeFrom(more);
  return spec;
}

std::vector<std::string> Problems(const v1::JobSpec& spec) {
  std::vector<std::string> lines;
  for (const FieldProblem& problem : ValidateJobSpec(spec)) {
    lines.push_back(absl::StrCat(problem.path, ": ", problem.message));
  }
  return lines;
}
std::vector<std::string> Problems(const std::string& text) { return Problems(Spec(text)); }

TEST(ValidateJobSpecTest, QueueingAndConsistencyHaveTheirRanges) {
  using testing::ElementsAre;
  EXPECT_THAT(Problems("priority: 1001"), ElementsAre("priority: got 1001, want -1000 to 1000"));
  EXPECT_THAT(Problems("retries: 101"), ElementsAre("retries: got 101, want 0 to 100"));
  EXPECT_THAT(Problems("consistency { local_sgd {} }"),
              ElementsAre("consistency.local_sgd.steps: got 0, want 1 to 65536"));
  EXPECT_THAT(
      Problems("consistency { local_sgd { steps: 5 outer { nesterov { momentum: 1 } } } }"),
      ElementsAre("consistency.local_sgd.outer.nesterov.momentum: got 1, want 0 <= it < 1"));
  EXPECT_THAT(Problems("consistency { bounded_staleness: 1000001 }"),
              ElementsAre("consistency.bounded_staleness: got 1000001, want 0 to 1000000"));
  EXPECT_THAT(Problems("consistency { async {} } audit: 0.5 tensor_digests { shards: true }"),
              ElementsAre("audit: got 0.5, want 0 with consistency.async",
                          "tensor_digests.shards: got true, want false with consistency.async"));
}

TEST(FillJobDefaultsTest, SetsEveryDefault) {
  v1::JobSpec spec = Spec();
  FillJobDefaults(&spec);
  v1::JobSpec expected = Spec(R"pb(
    data {
      train { csv { header: false label_column: "-1" } }
      validation_fraction: 0
      scaling { divide_by: 1 mean: 0 standard_deviation: 1 }
    }
    loss { cross_entropy { label_smoothing: 0 } }
    optimizer { sgd { momentum: 0 weight_decay: 0 nesterov: false } }
    learning_rate_schedule { constant { warmup_steps: 0 } }
    shards: 8
    shuffle: true
    workers { min: 1 max: 8 }
    checkpoint { interval_steps: 0 interval_seconds: 0 keep: 2 keep_best: false }
    audit: 0
    gradient_format: GRADIENT_FORMAT_FLOAT32
    priority: 0
    retries: 0
    tensor_digests { interval_steps: 16 shards: false }
    consistency { sync {} }
  )pb");
  expected.mutable_model(0)->mutable_linear()->set_bias(true);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(spec, expected))
      << spec.DebugString();
}

TEST(FillJobDefaultsTest, KeepsWhatIsSet) {
  v1::JobSpec spec = Spec(R"pb(
    data {
      train { csv { header: true label_column: "y" } }
      scaling { divide_by: 255 }
    }
    learning_rate_schedule { step { step_size: 2 gamma: 0.5 } }
    shards: 4
    shuffle: false
    workers { min: 2 }
  )pb");
  FillJobDefaults(&spec);
  EXPECT_EQ(spec.data().train().csv().label_column(), "y");
  EXPECT_TRUE(spec.data().train().csv().header());
  EXPECT_EQ(spec.data().scaling().divide_by(), 255);
  EXPECT_EQ(spec.learning_rate_schedule().step().gamma(), 0.5);
  EXPECT_EQ(spec.workers().min(), 2);
  EXPECT_EQ(spec.workers().max(), 4);
  EXPECT_FALSE(spec.shuffle());
  v1::JobSpec again = spec;
  FillJobDefaults(&again);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(spec, again));
}

TEST(FillJobDefaultsTest, FillsAdamAndOtherSchedules) {
  v1::JobSpec spec = Spec("optimizer { adam {} } learning_rate_schedule { cosine {} }");
  FillJobDefaults(&spec);
  const v1::Adam& adam = spec.optimizer().adam();
  EXPECT_EQ(adam.learning_rate(), 0.001f);
  EXPECT_EQ(adam.beta1(), 0.9f);
  EXPECT_EQ(adam.beta2(), 0.999f);
  EXPECT_EQ(adam.epsilon(), 1e-8f);
  EXPECT_TRUE(adam.has_weight_decay());
  EXPECT_TRUE(spec.learning_rate_schedule().cosine().has_final_factor());
  EXPECT_TRUE(spec.learning_rate_schedule().cosine().has_warmup_steps());
}

TEST(ValidateJobSpecTest, AcceptsAValidSpecWithAndWithoutDefaults) {
  v1::JobSpec spec = Spec();
  EXPECT_THAT(Problems(spec), IsEmpty());
  FillJobDefaults(&spec);
  EXPECT_THAT(Problems(spec), IsEmpty());
}

TEST(ValidateJobSpecTest, NamesEverythingThatAnEmptySpecLacks) {
  EXPECT_THAT(
      Problems(v1::JobSpec()),
      ElementsAre("name: missing, want 1 to 128 characters of A-Z a-z 0-9 . _ -",
                  "data.train: missing, want csv, idx or text",
                  "model: missing, want at least one layer",
                  "loss: missing, want cross_entropy, mse or another loss",
                  "optimizer: missing, want sgd, adam, adamw, rmsprop, adagrad, adadelta, lamb, "
                  "lion or muon",
                  "epochs: missing, want exactly one of epochs and steps",
                  "batch_size: got 0, want 1 to 16777216"));
}

TEST(ValidateJobSpecTest, ChecksEveryOptimizer) {
  EXPECT_THAT(Problems("optimizer {adamw {weight_decay: -1}}"),
              ElementsAre("optimizer.adamw.weight_decay: got -1, want a finite number >= 0"));
  EXPECT_THAT(Problems("optimizer {rmsprop {alpha: 1 momentum: -1}}"),
              ElementsAre("optimizer.rmsprop.alpha: got 1, want 0 <= it < 1",
                          "optimizer.rmsprop.momentum: got -1, want 0 <= it < 1"));
  EXPECT_THAT(Problems("optimizer {adagrad {initial_accumulator_value: -1}}"),
              ElementsAre("optimizer.adagrad.initial_accumulator_value: got -1, want a finite "
                          "number >= 0"));
  EXPECT_THAT(Problems("optimizer {adadelta {epsilon: 0}}"),
              ElementsAre("optimizer.adadelta.epsilon: got 0, want a finite number > 0"));
  EXPECT_THAT(Problems("optimizer {lamb {beta2: 1}}"),
              ElementsAre("optimizer.lamb.beta2: got 1, want 0 <= it < 1"));
  EXPECT_THAT(Problems("optimizer {lion {learning_rate: 0}}"),
              ElementsAre("optimizer.lion.learning_rate: got 0, want a finite number > 0"));
  EXPECT_THAT(Problems("optimizer {muon {newton_schulz_steps: 100 adamw {beta1: 1}}}"),
              ElementsAre("optimizer.muon.newton_schulz_steps: got 100, want 1 to 99",
                          "optimizer.muon.adamw.beta1: got 1, want 0 <= it < 1"));
}

TEST(ValidateJobSpecTest, ChecksClippingGroupsAndAverage) {
  EXPECT_THAT(Problems("gradient_clipping {max_norm: 0 max_value: -1}"),
              ElementsAre("gradient_clipping.max_value: got -1, want a finite number > 0",
                          "gradient_clipping.max_norm: got 0, want a finite number > 0"));
  EXPECT_THAT(Problems("parameter_groups {learning_rate_factor: 0 weight_decay: -1 "
                       "optimizer {adam {beta1: 2}}}"),
              ElementsAre("parameter_groups[0].parameters: missing, want at least one pattern",
                          "parameter_groups[0].learning_rate_factor: got 0, want a finite number "
                          "> 0",
                          "parameter_groups[0].weight_decay: got -1, want a finite number >= 0",
                          "parameter_groups[0].optimizer.adam.beta1: got 2, want 0 <= it < 1"));
  EXPECT_THAT(Problems("ema {decay: 1}"), ElementsAre("ema.decay: got 1, want 0 < it < 1"));
}

TEST(ValidateJobSpecTest, ChecksTheName) {
  EXPECT_THAT(Problems("name: 'a/b'"), ElementsAre(HasSubstr("name: character 2 is not allowed")));
  v1::JobSpec spec = Spec();
  spec.set_name(std::string(129, 'a'));
  EXPECT_THAT(Problems(spec), ElementsAre(HasSubstr("name: got 129 bytes, want 1 to 128")));
}

TEST(ValidateJobSpecTest, ChecksWholeNumbers) {
  EXPECT_THAT(Problems("model {linear {out_features: 0}}"),
              ElementsAre("model[1].linear.out_features: got 0, want 1 to 16777216"));
  EXPECT_THAT(Problems("model {linear {out_features: 16777217}}"),
              ElementsAre("model[1].linear.out_features: got 16777217, want 1 to 16777216"));
  EXPECT_THAT(Problems("batch_size: 16777217"),
              ElementsAre("batch_size: got 16777217, want 1 to 16777216"));
  EXPECT_THAT(Problems("shards: 0"), ElementsAre("shards: got 0, want 1 to 1024"));
  EXPECT_THAT(Problems("shards: 1025"), ElementsAre("shards: got 1025, want 1 to 1024"));
  EXPECT_THAT(Problems("epochs: 0"), ElementsAre(HasSubstr("epochs: got 0, want 1 to ")));
  EXPECT_THAT(Problems("learning_rate_schedule {step {}}"),
              ElementsAre(HasSubstr("learning_rate_schedule.step.step_size: got 0, want 1 to ")));
}

TEST(ValidateJobSpecTest, TellsWhatIsWantedSeparatelyForNumbers) {
  const std::vector<FieldProblem> problems = ValidateJobSpec(Spec("shards: 0"));
  ASSERT_EQ(problems.size(), 1);
  EXPECT_EQ(problems[0].wanted, "1 to 1024");
}

TEST(ValidateJobSpecTest, WantsExactlyOneOfEpochsAndSteps) {
  EXPECT_THAT(Problems("steps: 5"),
              ElementsAre("steps: got both epochs and steps, want exactly one"));
  v1::JobSpec spec = Spec();
  spec.clear_epochs();
  EXPECT_THAT(Problems(spec), ElementsAre("epochs: missing, want exactly one of epochs and steps"));
  spec.set_steps(7);
  EXPECT_THAT(Problems(spec), IsEmpty());
}

TEST(ValidateJobSpecTest, ChecksWorkersAgainstShards) {
  EXPECT_THAT(Problems("shards: 4 workers {min: 2 max: 4}"), IsEmpty());
  EXPECT_THAT(Problems("workers {min: 0}"), ElementsAre("workers.min: got 0, want 1 to 8"));
  EXPECT_THAT(Problems("workers {min: 3 max: 2}"), ElementsAre("workers.min: got 3, want 1 to 2"));
  EXPECT_THAT(Problems("workers {max: 9}"), ElementsAre("workers.max: got 9, want 1 to 8"));
}

TEST(ValidateJobSpecTest, ChecksData) {
  EXPECT_THAT(Problems("data {validation_fraction: 1}"),
              ElementsAre("data.validation_fraction: got 1, want 0 <= it < 1"));
  EXPECT_THAT(Problems("data {validation_fraction: 0.1 validation {csv {path: 'v'}}}"),
              ElementsAre("data.validation_fraction: got both validation and "
                          "validation_fraction, want at most one"));
  EXPECT_THAT(Problems("data {validation {csv {}}}"),
              ElementsAre("data.validation.csv.path: missing, want a file's path"));
  EXPECT_THAT(Problems("data {validation {}}"),
              ElementsAre("data.validation: missing, want csv, idx or text"));
  EXPECT_THAT(Problems("data {train {idx {images: 'a\\000b'}}}"),
              ElementsAre(HasSubstr("data.train.idx.images: got a path with a NUL byte"),
                          "data.train.idx.labels: missing, want a file's path"));
  EXPECT_THAT(Problems("data {train {csv {label_column: 'y'}}}"),
              ElementsAre(HasSubstr("data.train.csv.label_column: got a name, want an index")));
  EXPECT_THAT(Problems("data {train {csv {header: true label_column: 'y'}}}"), IsEmpty());
  EXPECT_THAT(Problems("data {scaling {divide_by: 0 mean: inf standard_deviation: nan}}"),
              ElementsAre("data.scaling.divide_by: got 0, want a finite number > 0",
                          "data.scaling.mean: got inf, want a finite number",
                          "data.scaling.standard_deviation: got nan, want a finite number > 0"));
}

TEST(ValidateJobSpecTest, ChecksSgd) {
  EXPECT_THAT(Problems("optimizer {sgd {learning_rate: 0}}"), IsEmpty())
      << "merging 0 is no change";
  EXPECT_THAT(Problems("optimizer {sgd {learning_rate: -1}}"),
              ElementsAre("optimizer.sgd.learning_rate: got -1, want a finite number > 0"));
  EXPECT_THAT(Problems("optimizer {sgd {momentum: 1 weight_decay: -0.5}}"),
              ElementsAre("optimizer.sgd.momentum: got 1, want 0 <= it < 1",
                          "optimizer.sgd.weight_decay: got -0.5, want a finite number >= 0"));
  EXPECT_THAT(Problems("optimizer {sgd {nesterov: true}}"),
              ElementsAre("optimizer.sgd.nesterov: needs momentum, got momentum 0, want "
                          "momentum > 0"));
  EXPECT_THAT(Problems("optimizer {sgd {nesterov: true momentum: 0.9}}"), IsEmpty());
}

TEST(ValidateJobSpecTest, ChecksAdam) {
  EXPECT_THAT(Problems("optimizer {adam {}}"), IsEmpty());
  EXPECT_THAT(Problems("optimizer {adam {learning_rate: inf beta1: -0.1 beta2: 1 epsilon: 0 "
                       "weight_decay: nan}}"),
              ElementsAre("optimizer.adam.learning_rate: got inf, want a finite number > 0",
                          "optimizer.adam.beta1: got -0.1, want 0 <= it < 1",
                          "optimizer.adam.beta2: got 1, want 0 <= it < 1",
                          "optimizer.adam.epsilon: got 0, want a finite number > 0",
                          "optimizer.adam.weight_decay: got nan, want a finite number >= 0"));
}

TEST(ValidateJobSpecTest, ChecksSchedules) {
  EXPECT_THAT(Problems("learning_rate_schedule {step {step_size: 1 gamma: 0}}"),
              ElementsAre("learning_rate_schedule.step.gamma: got 0, want a finite number > 0"));
  EXPECT_THAT(Problems("learning_rate_schedule {cosine {final_factor: 1.5}}"),
              ElementsAre("learning_rate_schedule.cosine.final_factor: got 1.5, want 0 to 1"));
  EXPECT_THAT(
      Problems("learning_rate_schedule {multistep {milestones: [3, 2] gamma: -1}}"),
      ElementsAre("learning_rate_schedule.multistep.milestones[1]: got 2 after 3, want them "
                  "ascending",
                  "learning_rate_schedule.multistep.gamma: got -1, want a finite number > 0"));
  EXPECT_THAT(Problems("learning_rate_schedule {multistep {}}"),
              ElementsAre("learning_rate_schedule.multistep.milestones: missing, want at least "
                          "one"));
  EXPECT_THAT(Problems("learning_rate_schedule {exponential {}}"),
              ElementsAre("learning_rate_schedule.exponential.gamma: got 0, want a finite number "
                          "> 0"));
  EXPECT_THAT(Problems("learning_rate_schedule {cosine_restarts {cycle_multiplier: 0}}"),
              ElementsAre(HasSubstr("cosine_restarts.first_cycle_steps: got 0, want 1 to "),
                          HasSubstr("cosine_restarts.cycle_multiplier: got 0, want 1 to ")));
  EXPECT_THAT(Problems("learning_rate_schedule {one_cycle {warmup_fraction: 2}}"),
              ElementsAre("learning_rate_schedule.one_cycle.warmup_fraction: got 2, want 0 to 1"));
  EXPECT_THAT(Problems("learning_rate_schedule {plateau {factor: 1}}"),
              ElementsAre("learning_rate_schedule.plateau.factor: got 1, want 0 < it < 1",
                          "learning_rate_schedule.plateau: got no validation examples, want "
                          "data.validation or data.validation_fraction"));
  EXPECT_THAT(Problems("learning_rate_schedule {linear {final_factor: nan}}"),
              ElementsAre("learning_rate_schedule.linear.final_factor: got nan, want 0 to 1"));
}

TEST(ValidateJobSpecTest, ChecksLayersAndDigests) {
  EXPECT_THAT(Problems("model {}"), ElementsAre(HasSubstr("model[1]: missing, want a layer")));
  EXPECT_THAT(Problems("data {train {csv {sha256: 'ABC'}}}"),
              ElementsAre("data.train.csv.sha256: got 3 bytes, want 64 hexadecimal digits in "
                          "lower case"));
}

TEST(ValidateJobSpecTest, ChecksTheDataSummaryWhereThereIsOne) {
  EXPECT_THAT(Problems("data_summary {}"),
              ElementsAre(HasSubstr("data_summary.training_examples: got 0"),
                          HasSubstr("data_summary.example_shape: missing")));
  EXPECT_THAT(Problems("data_summary {training_examples: 10 example_shape: [4294967296, 9]}"),
              ElementsAre(HasSubstr("data_summary.example_shape: got more elements than fit")));
  EXPECT_THAT(Problems("data_summary {training_examples: 10 example_shape: -3}"),
              ElementsAre("data_summary.example_shape: got -3, want extents of 1 or more"));
  EXPECT_THAT(
      Problems("epochs: 4611686018427387904 data_summary {training_examples: 65 example_shape: 3}"),
      ElementsAre(AllOf(HasSubstr("epochs: got 4611686018427387904"), HasSubstr("2 steps each"))));
}

TEST(ValidateSubmittedJobSpecTest, WantsWhatTheClientFillsIn) {
  v1::JobSpec spec = Spec("init_from: 'm' data {validation {idx {images: 'i' labels: 'l'}}}");
  std::vector<std::string> paths;
  for (const FieldProblem& problem : ValidateSubmittedJobSpec(spec)) paths.push_back(problem.path);
  EXPECT_THAT(paths,
              ElementsAre("data.train.csv.sha256", "data.validation.idx.images_sha256",
                          "data.validation.idx.labels_sha256", "init_from_sha256", "data_summary"));
}

TEST(StatusOfProblemsTest, NamesTheFirstFew) {
  EXPECT_TRUE(StatusOfProblems({}).ok());
  const absl::Status status = StatusOfProblems(ValidateJobSpec(v1::JobSpec()));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("name: missing"), HasSubstr("and 2 more")));
}

// A peer may send any bytes that protobuf can parse.
TEST(ValidateJobSpecTest, SurvivesRandomSpecs) {
  v1::JobSpec full = Spec(R"pb(
    init_from: "m"
    workers { min: 2 max: 3 }
    data {
      validation { idx { images: "i" labels: "l" } }
      scaling { divide_by: 3 }
    }
    learning_rate_schedule { step { step_size: 3 } }
    data_summary {
      training_examples: 9
      example_shape: [ 2, 3 ]
    }
  )pb");
  FillJobDefaults(&full);
  const std::string bytes = full.SerializeAsString();
  std::mt19937 random(7);
  int parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string mutated = bytes;
    for (int k = random() % 3; k >= 0; --k) mutated[random() % mutated.size()] = random();
    v1::JobSpec spec;
    if (!spec.ParseFromString(mutated)) continue;
    ++parsed;
    for (const FieldProblem& problem : ValidateSubmittedJobSpec(spec)) {
      EXPECT_EQ(problem.message.find('\n'), std::string::npos);
      EXPECT_FALSE(problem.path.empty());
    }
    FillJobDefaults(&spec);
  }
  EXPECT_GT(parsed, 1000);
}

TEST(JobSpecTest, LayersAndPathsHaveALimit) {
  v1::JobSpec spec;
  for (int i = 0; i < 10001; ++i) spec.add_model()->mutable_relu();
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path(std::string(5000, 'x'));
  std::string all;
  for (const FieldProblem& problem : ValidateJobSpec(spec)) {
    all += problem.path + ": " + problem.message + "\n";
  }
  EXPECT_NE(all.find("model: got 10001 layers, want at most 10000"), std::string::npos) << all;
  EXPECT_NE(all.find("data.train.csv.path: got 5000 bytes, want at most 4096"), std::string::npos)
      << all;
}

TEST(ValidateJobSpecTest, ChecksText) {
  EXPECT_THAT(Problems("data {train {text {path: 't' context: 8}}}"), IsEmpty());
  EXPECT_THAT(Problems("data {train {text {path: 't' context: 8 from: 0.5 to: 0.25}}}"),
              ElementsAre(HasSubstr("data.train.text.to: got 0.25, want above 0.5, at most 1")));
  EXPECT_THAT(Problems("data {train {text {path: 't'}}}"),
              ElementsAre(HasSubstr("data.train.text.context: got 0, want 1 to 1048576"),
                          HasSubstr("data.train.text.stride: got 0")));
  EXPECT_THAT(Problems("data {train {text {path: 't' context: 8}} scaling {mean: 1}}"),
              ElementsAre(HasSubstr("data.scaling: got a scaling of text, want none")));
  EXPECT_THAT(Problems("data {train {text {path: 't' context: 8 stride: 4}} "
                       "validation_fraction: 0.1}"),
              ElementsAre(HasSubstr("data.validation_fraction: got windows that overlap")));
}

TEST(ValidateJobSpecTest, ChecksLosses) {
  EXPECT_THAT(Problems("loss {cross_entropy {class_weights: [1, -1] label_smoothing: 2}}"),
              ElementsAre(HasSubstr("loss.cross_entropy.class_weights[1]: got -1, want a finite"),
                          HasSubstr("loss.cross_entropy.label_smoothing: got 2, want 0 to 1")));
  EXPECT_THAT(Problems("loss {huber {delta: 0}}"),
              ElementsAre(HasSubstr("loss.huber.delta: got 0, want a finite number > 0")));
  EXPECT_THAT(Problems("loss {bce_with_logits {pos_weight: -1}}"),
              ElementsAre(HasSubstr("loss.bce_with_logits.pos_weight: got -1")));
  for (const char* loss : {"l1", "bce", "hinge", "kl_divergence", "cosine_embedding", "nll"}) {
    EXPECT_THAT(Problems(std::string("loss {") + loss + " {}}"), IsEmpty()) << loss;
  }
}

TEST(ValidateJobSpecTest, ChecksLabelAndWeightColumns) {
  EXPECT_THAT(Problems("data {train {csv {label_columns: ['0', 'y'] weight_column: 'w'}}}"),
              ElementsAre(HasSubstr("data.train.csv.label_columns[1]: got a name"),
                          HasSubstr("data.train.csv.weight_column: got a name")));
  EXPECT_THAT(Problems("data {train {csv {label_column: '1' label_columns: ['0', '2']}}}"),
              ElementsAre(HasSubstr("got both label_column and label_columns")));
}

}  // namespace
}  // namespace lockstep
