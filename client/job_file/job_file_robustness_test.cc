// Whatever stands in a job file, the answer is a specification or a list of
// problems: job files that were valid before random edits, and a few that are
// made to hurt a parser. Fixed seeds: every run tries the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/job_file/job_file_parser.h"
#include "client/job_file/job_file_problem.h"
#include "engine/model/job_spec.h"

namespace lockstep::client {
namespace {

const char* const kJobFiles[] = {
    R"(# Handwritten digits.
name: digits
seed: 7
data:
  train:
    csv: {path: optdigits.tra, header: false, label_column: -1}
  validation_fraction: 0.1
  scaling: {divide_by: 16}
model:
  - linear: {out_features: 64}
  - relu
  - linear:
      out_features: 10
loss: cross_entropy
optimizer:
  adam:
    learning_rate: 1e-3
epochs: 20
batch_size: 128
workers: {min: 2, max: 4}
)",
    R"(data:
  train:
    idx:
      images: "train-images.gz"
      labels: 'train-labels.gz'
  validation:
    idx: {images: t10k-images.gz, labels: t10k-labels.gz}
model: [flatten, {linear: {out_features: 128, bias: false}}, tanh, sigmoid: {}]
loss: {mse: {}}
optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1.0e-4}}
learning_rate_schedule:
  cosine: {final_factor: 0.01, warmup_steps: 100}
steps: 1000
batch_size: 64
shards: 16
shuffle: true
init_from: start.safetensors
checkpoint:
  interval_steps: 50
)",
};

// Pieces that mean something to a YAML parser or to a job file.
const std::vector<std::string>& Pieces() {
  static const auto* pieces = new std::vector<std::string>{": ",
                                                           "\n",
                                                           "- ",
                                                           "  ",
                                                           "{",
                                                           "}",
                                                           "[",
                                                           "]",
                                                           ",",
                                                           "\"",
                                                           "'",
                                                           "&a ",
                                                           "*a",
                                                           "!!s ",
                                                           "|\n",
                                                           ">\n",
                                                           "? ",
                                                           "#",
                                                           "---\n",
                                                           "...\n",
                                                           "\t",
                                                           "%",
                                                           "@",
                                                           "`",
                                                           "<<: ",
                                                           "~",
                                                           "null",
                                                           "true",
                                                           "-1",
                                                           "1e999",
                                                           "nan",
                                                           ".inf",
                                                           "\\x00",
                                                           "\r\n",
                                                           "é",
                                                           "\xff",
                                                           "relu",
                                                           "linear:",
                                                           "data:",
                                                           "model:",
                                                           "0x1",
                                                           "%TAG ",
                                                           "%YAML ",
                                                           "!<",
                                                           "\\u",
                                                           "\"\\U",
                                                           "\xEF\xBB\xBF",
                                                           "|2\n",
                                                           ">-9\n",
                                                           "!"};
  return *pieces;
}

std::string Mutated(const std::string& original, std::mt19937* random) {
  std::string text = original;
  for (int edits = 1 + (*random)() % 6; edits > 0 && !text.empty(); --edits) {
    const size_t place = (*random)() % text.size();
    const size_t length = (*random)() % 12;
    switch ((*random)() % 6) {
      case 0:
        text[place] = static_cast<char>((*random)());
        break;
      case 1:
        text.erase(place, length);
        break;
      case 2:
        text.insert(place, Pieces()[(*random)() % Pieces().size()]);
        break;
      case 3:  // copies a piece to elsewhere
        text.insert((*random)() % text.size(), text.substr(place, 4 * length));
        break;
      case 4:
        text.resize(place);
        break;
      case 5:
        text.replace(place, length, Pieces()[(*random)() % Pieces().size()]);
        break;
    }
  }
  return text;
}

// Parses; checks what holds for every text. Whether the text was fine.
bool ParseAndCheck(const std::string& text) {
  const ParsedJobFile parsed = ParseJobFile(text, "job.yaml");
  SourcePosition last;
  for (const JobFileProblem& problem : parsed.problems) {
    EXPECT_FALSE(problem.message.empty()) << text;
    EXPECT_FALSE(problem.position < last) << text;
    last = problem.position;
  }
  for (const std::string& line : FormatProblems("job.yaml", parsed.problems)) {
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_LT(line.size(), 1000) << line;
  }
  if (!parsed.problems.empty()) return false;
  EXPECT_THAT(ValidateJobSpec(parsed.spec), testing::IsEmpty()) << text;
  return true;
}

TEST(JobFileRobustnessTest, TheOriginalsAreValid) {
  for (const char* text : kJobFiles) {
    EXPECT_THAT(FormatProblems("f", ParseJobFile(text, "f").problems), testing::IsEmpty());
  }
}

TEST(JobFileRobustnessTest, AnswersAnyMutationOfAJobFile) {
  std::mt19937 random(20240607);
  int valid = 0;
  constexpr int kMutations = 10000;
  for (int i = 0; i < kMutations; ++i) valid += ParseAndCheck(Mutated(kJobFiles[i % 2], &random));
  // Neither outcome is rare, or the test would test little.
  EXPECT_GT(valid, kMutations / 100);
  EXPECT_LT(valid, kMutations / 2);
}

TEST(JobFileRobustnessTest, AnswersAnyMutationOfAnyValue) {
  std::mt19937 random(3);
  for (const std::string& piece : Pieces()) {
    for (const char* original : kJobFiles) {
      for (const char* from : {": ", "- ", "{", "0", "\n"}) {
        ParseAndCheck(absl::StrReplaceAll(original, {{from, piece}}));
      }
    }
  }
}

TEST(JobFileRobustnessTest, AnswersEveryCutOfAJobFile) {
  for (const std::string text : kJobFiles) {
    for (size_t length = 0; length < text.size(); ++length) ParseAndCheck(text.substr(0, length));
  }
}

TEST(JobFileRobustnessTest, AnswersRandomBytes) {
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (int k = random() % 200; k > 0; --k) {
      text += random() % 3 == 0 ? Pieces()[random() % Pieces().size()]
                                : std::string(1, static_cast<char>(' ' + random() % 95));
    }
    ParseAndCheck(text);
  }
}

std::string Repeated(const std::string& text, size_t bytes) {
  std::string all;
  while (all.size() + text.size() <= bytes) all += text;
  return all;
}

// A megabyte of one thing: the size limit is all that bounds the parser's time.
TEST(JobFileRobustnessTest, AnswersMonotonousTextsQuickly) {
  constexpr size_t kBytes = 1000000;
  for (const char* piece :
       {"[",   "{",   "- ",  "? ",    "a: ",   "- a\n",   "[a, ",  "{a: ",  "\"",   "'",
        "|\n", "&a ", "*a ", "!a ",   "\n",    " ",       "#\n",   "---\n", "a\n",  "a",
        ",",   ":",   "{a,", "[a]: ", "? a\n", "- - a\n", "'a': ", "%a\n",  "a b ", "\"\\n\" "}) {
    // Processor time: a busy machine must not fail the test.
    const std::clock_t start = std::clock();
    ParseAndCheck(Repeated(piece, kBytes));
    EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 10.0) << piece;
  }
  std::string keys;
  for (int i = 0; keys.size() < kBytes; ++i) absl::StrAppend(&keys, "k", i, ":\n");
  EXPECT_FALSE(ParseAndCheck(keys));
  EXPECT_FALSE(ParseAndCheck("model:\n" + Repeated(" - linear\n", kBytes)));
  EXPECT_FALSE(ParseAndCheck(std::string(kBytes, 'k') + ": 1\n"));
}

}  // namespace
}  // namespace lockstep::client
