#include "client/job_file/job_file_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kValid[] = R"(data:
  train:
    csv: {path: train.csv}
model:
  - linear: {out_features: 10}
loss: cross_entropy
optimizer:
  sgd: {learning_rate: 0.1}
epochs: 3
batch_size: 64
)";

std::vector<std::string> Problems(absl::string_view text) {
  return FormatProblems("job.yaml", ParseJobFile(text, "job.yaml").problems);
}

// kValid with `from` replaced.
std::string Changed(absl::string_view from, absl::string_view to) {
  std::string text = kValid;
  const size_t place = text.find(std::string(from));
  EXPECT_NE(place, std::string::npos) << from;
  return text.replace(place, from.size(), std::string(to));
}

TEST(ParseJobFileTest, ReadsAValidFileAndFillsInDefaults) {
  const ParsedJobFile parsed = ParseJobFile(kValid, "some/folder/digits.v2.yaml");
  EXPECT_THAT(FormatProblems("f", parsed.problems), IsEmpty());
  EXPECT_EQ(parsed.spec.name(), "digits.v2");
  EXPECT_EQ(parsed.spec.shards(), 8);
  EXPECT_EQ(parsed.spec.workers().max(), 8);
  EXPECT_TRUE(parsed.spec.model(0).linear().bias());
  EXPECT_EQ(parsed.spec.data().train().csv().path(), "train.csv");
  EXPECT_EQ(parsed.spec.data().train().csv().label_column(), "-1");
  EXPECT_EQ(parsed.spec.epochs(), 3);
  EXPECT_FALSE(parsed.spec.has_steps());
}

TEST(ParseJobFileTest, MakesANameOutOfAnyPath) {
  EXPECT_EQ(ParseJobFile(kValid, "a b/my job!.yml").spec.name(), "my-job-");
  EXPECT_EQ(ParseJobFile(kValid, ".yaml").spec.name(), ".yaml");
  EXPECT_EQ(ParseJobFile(kValid, "plain").spec.name(), "plain");
  EXPECT_EQ(ParseJobFile(kValid, "").spec.name(), "job");
  EXPECT_THAT(ParseJobFile(kValid, std::string(500, 'x')).spec.name(), SizeIs(128));
  EXPECT_EQ(ParseJobFile("name: own\n" + std::string(kValid), "x.yaml").spec.name(), "own");
}

TEST(ParseJobFileTest, ReportsAFileThatIsNoMap) {
  for (const char* text : {"", "\n# nothing\n", "---\n"}) {
    EXPECT_THAT(Problems(text), ElementsAre("job.yaml:1:1: got an empty file, want a map of "
                                            "fields (data, model, loss, ...)"));
  }
  EXPECT_THAT(Problems("- a\n"), ElementsAre("job.yaml:1:1: got a list, want a map of fields "
                                             "(data, model, loss, ...)"));
  EXPECT_THAT(Problems("hello"), ElementsAre(HasSubstr("got 'hello' (text), want a map")));
  EXPECT_THAT(Problems(absl::string_view("a\0b", 3)),
              ElementsAre("job.yaml:1:2: got control character 0x00, want UTF-8 text"));
  EXPECT_THAT(Problems("a: b: c"), ElementsAre("job.yaml:1:5: not valid YAML: illegal map value"));
}

TEST(ParseJobFileTest, PointsAtTheEnclosingMapOfAMissingField) {
  EXPECT_THAT(Problems(Changed("linear: {out_features: 10}", "linear")),
              ElementsAre("job.yaml:5:5: model[0].linear.out_features: missing, want 1 to "
                          "16777216"));
  EXPECT_THAT(Problems(Changed("csv: {path: train.csv}", "csv:")),
              ElementsAre("job.yaml:3:5: data.train.csv.path: missing, want a file's path"));
  EXPECT_THAT(Problems(Changed("{learning_rate: 0.1}", "{momentum: 0.9}")),
              ElementsAre("job.yaml:8:3: optimizer.sgd.learning_rate: missing, want a finite "
                          "number > 0"));
  EXPECT_THAT(Problems(Changed("batch_size: 64\n", "")),
              ElementsAre("job.yaml:1:1: batch_size: missing, want 1 to 16777216"));
  EXPECT_THAT(Problems(Changed("epochs: 3\n", "")),
              ElementsAre("job.yaml:1:1: epochs: missing, want exactly one of epochs and steps"));
  EXPECT_THAT(Problems(Changed("loss: cross_entropy\n", "")),
              ElementsAre("job.yaml:1:1: loss: missing, want cross_entropy, mse or another loss"));
}

TEST(ParseJobFileTest, TellsZeroFromMissing) {
  EXPECT_THAT(Problems(Changed("out_features: 10", "out_features: 0")),
              ElementsAre("job.yaml:5:28: model[0].linear.out_features: got 0, want 1 to "
                          "16777216"));
  EXPECT_THAT(Problems(Changed("batch_size: 64", "batch_size: 0")),
              ElementsAre("job.yaml:10:13: batch_size: got 0, want 1 to 16777216"));
}

TEST(ParseJobFileTest, PointsAtValuesOutOfRange) {
  EXPECT_THAT(Problems(kValid + std::string("shards: 4\nworkers:\n  min: 5\n")),
              ElementsAre("job.yaml:13:8: workers.min: got 5, want 1 to 4"));
  EXPECT_THAT(Problems(kValid + std::string("steps: 9\n")),
              ElementsAre("job.yaml:11:8: steps: got both epochs and steps, want exactly one"));
  EXPECT_THAT(Problems(Changed("0.1", "-0.1")),
              ElementsAre("job.yaml:8:24: optimizer.sgd.learning_rate: got -0.1, want a finite "
                          "number > 0"));
  EXPECT_THAT(Problems(Changed("0.1", "0.1, nesterov: true")),
              ElementsAre("job.yaml:8:39: optimizer.sgd.nesterov: needs momentum, got momentum 0, "
                          "want momentum > 0"));
}

TEST(ParseJobFileTest, DoesNotReportTheConsequencesOfAProblem) {
  EXPECT_THAT(Problems(Changed("batch_size: 64", "batch_size: abc")),
              ElementsAre("job.yaml:10:13: batch_size: got 'abc' (text), want a whole number"));
  EXPECT_THAT(Problems(Changed("optimizer:", "optimiser:")),
              ElementsAre(HasSubstr("job.yaml:7:1: optimiser: unknown field, did you mean "
                                    "'optimizer'?")));
  EXPECT_THAT(Problems(Changed("{learning_rate: 0.1}", "{learning_rat: 0.1}")),
              ElementsAre(HasSubstr("job.yaml:8:9: optimizer.sgd.learning_rat: unknown field, did "
                                    "you mean 'learning_rate'?")));
  EXPECT_THAT(Problems(Changed("linear:", "linaer:")),
              ElementsAre(HasSubstr("model[0].linaer: unknown layer, did you mean 'linear'?")));
  EXPECT_THAT(Problems(Changed("epochs: 3", "steps: many")),
              ElementsAre(HasSubstr("steps: got 'many' (text), want a whole number")));
  EXPECT_THAT(Problems(Changed("model:\n  - linear: {out_features: 10}", "model: relu")),
              ElementsAre("job.yaml:4:8: model: got 'relu' (text), want a list"));
}

TEST(ParseJobFileTest, ReportsAllProblemsByPosition) {
  EXPECT_THAT(
      Problems(R"(optimizer:
  adam: {beta2: 2, beta1: 0, beta1: 3}
batch_size: -1
lost: mse
model:
  - linear: {out_features: 2.5}
  - rely
data: {train: {idx: {images: a, labels: [b]}}, validation_fraction: 1}
epochs: 1
)"),
      ElementsAre("job.yaml:2:17: optimizer.adam.beta2: got 2, want 0 <= it < 1",
                  "job.yaml:2:30: optimizer.adam.beta1: written twice, first in line 2",
                  "job.yaml:3:13: batch_size: got '-1', want a whole number, 0 or more",
                  "job.yaml:4:1: lost: unknown field, did you mean 'loss'? (known: name, seed, "
                  "data, model, loss, optimizer, learning_rate_schedule, epochs, steps, "
                  "batch_size, shards, shuffle, init_from, workers, checkpoint, "
                  "gradient_clipping, parameter_groups, ema, gradient_format, priority and 3 "
                  "more)",
                  "job.yaml:6:28: model[0].linear.out_features: got '2.5' (number), want a whole "
                  "number",
                  HasSubstr("job.yaml:7:5: model[1]: unknown layer 'rely', did you mean 'relu'? "
                            "(known: linear, relu, "),
                  "job.yaml:8:33: data.train.idx.labels: got a list, want text",
                  "job.yaml:8:69: data.validation_fraction: got 1, want 0 <= it < 1"));
}

TEST(ParseJobFileTest, StopsShowingProblemsAtSomePoint) {
  std::string text = kValid;
  for (int i = 0; i < 5000; ++i) text += "unknown_" + std::to_string(i) + ": 1\n";
  const std::vector<std::string> lines = Problems(text);
  EXPECT_THAT(lines, SizeIs(kMaxShownProblems + 1));
  EXPECT_THAT(lines.back(), HasSubstr("more problems"));
}

}  // namespace
}  // namespace lockstep::client
