// Each family of models gives the same bits on any number of workers and
// threads: convolutions with batch normalisation and dropout, residual networks,
// transformers, recurrent networks. All through `lockstep train`.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/kernels/instruction_set.h"
#include "tests/testing/logged_folder.h"
#include "tests/testing/process.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

using Options = std::vector<std::string>;

// Workers and threads; with one thread each of the instruction sets too.
std::vector<Options> Ways() {
  std::vector<Options> ways;
  for (const char* workers : {"1", "2", "3"}) {
    for (const char* threads : {"1", "2"}) {
      ways.push_back({"--workers", workers, "--threads", threads});
    }
  }
  for (const std::string& set : kernels::AvailableInstructionSets()) {
    ways.push_back({"--workers", "1", "--threads", "1", "--instruction-set", set});
  }
  return ways;
}

void ExpectOneHash(const LoggedFolder& folder, const std::string& job) {
  const std::string path = folder.Write("job.yaml", job);
  std::string want;
  const std::vector<Options> ways = Ways();
  for (size_t i = 0; i < ways.size(); ++i) {
    SCOPED_TRACE(absl::StrJoin(ways[i], " "));
    const std::string hash = TrainedHash(folder, path, absl::StrCat("run-", i), ways[i]);
    ASSERT_EQ(hash, want.empty() ? hash : want);
    want = hash;
  }
}

// On the digits, whose last batch of an epoch is smaller and leaves shards of
// unequal size.
std::string DigitsJob(const std::string& model) {
  return absl::StrCat("data:\n  train:\n    csv: {path: ", Runfile("examples/digits/digits.csv"),
                      ", header: true, label_column: label}\n"
                      "  validation_fraction: 0.2\n  scaling: {divide_by: 16}\n"
                      "model:\n  - reshape: {shape: [1, 8, 8]}\n",
                      model,
                      "loss: cross_entropy\noptimizer:\n  adam: {learning_rate: 0.01}\n"
                      "seed: 3\nepochs: 2\nbatch_size: 100\nshards: 6\n");
}

std::string TextJob(const LoggedFolder& folder, const std::string& model) {
  std::string text;
  for (int i = 0; i < 300; ++i) absl::StrAppend(&text, i * i, (i % 7 == 0) ? "\n" : ", ");
  const std::string path = folder.Write("input.txt", text);
  const auto source = [&](const char* part) {
    return absl::StrCat("    text: {path: ", path, ", context: 12, stride: 5, ", part, "}\n");
  };
  return absl::StrCat("data:\n  train:\n", source("to: 0.9"), "  validation:\n",
                      source("from: 0.9"), "model:\n", model,
                      "loss: cross_entropy\noptimizer:\n  adamw: {learning_rate: 0.003}\n"
                      "gradient_clipping: {max_norm: 1}\n"
                      "seed: 3\nepochs: 1\nbatch_size: 30\nshards: 8\n");
}

TEST(ModelsTest, ConvolutionsWithBatchNormAndDropout) {
  LoggedFolder folder;
  ExpectOneHash(folder, DigitsJob("  - conv2d: {out_channels: 6, kernel_size: 3, padding: 1}\n"
                                  "  - batch_norm\n  - relu\n  - max_pool: {kernel_size: 2}\n"
                                  "  - dropout: {probability: 0.3}\n"
                                  "  - conv2d: {out_channels: 8, kernel_size: 3, groups: 2,\n"
                                  "             init: kaiming_normal}\n"
                                  "  - group_norm: {groups: 4}\n  - silu\n  - flatten\n"
                                  "  - linear: {out_features: 16, init: orthogonal}\n"
                                  "  - batch_norm: {momentum: 0.2}\n  - gelu\n"
                                  "  - dropout\n  - linear: {out_features: 10}\n"));
}

TEST(ModelsTest, Lenet5) {
  LoggedFolder folder;
  ExpectOneHash(folder, DigitsJob("  - sequential:\n      layers:\n"
                                  "        - conv2d: {out_channels: 4, kernel_size: 1,\n"
                                  "                   padding: 4}\n"
                                  "        - lenet5\n"));
}

TEST(ModelsTest, Resnet) {
  LoggedFolder folder;
  ExpectOneHash(folder, DigitsJob("  - resnet: {depth: 8, width: 4}\n"));
}

TEST(ModelsTest, GptWithDropout) {
  LoggedFolder folder;
  ExpectOneHash(folder,
                TextJob(folder, "  - gpt: {layers: 2, heads: 2, width: 16, dropout: 0.2}\n"));
}

TEST(ModelsTest, GptWithRotaryPositionsAndRmsNorm) {
  LoggedFolder folder;
  ExpectOneHash(folder, TextJob(folder,
                                "  - gpt: {layers: 1, heads: 2, width: 16, positions: rotary,\n"
                                "          norm: rms, activation: silu}\n"));
}

TEST(ModelsTest, LstmLm) {
  LoggedFolder folder;
  ExpectOneHash(folder, TextJob(folder,
                                "  - lstm_lm: {embedding_dim: 8, hidden_size: 12,\n"
                                "              layers: 2, dropout: 0.2}\n"));
}

TEST(ModelsTest, GruWithSinusoidalPositions) {
  LoggedFolder folder;
  ExpectOneHash(folder, TextJob(folder,
                                "  - embedding: {embedding_dim: 8}\n"
                                "  - sinusoidal_positions\n"
                                "  - gru: {hidden_size: 12}\n  - layer_norm\n"
                                "  - linear: {out_features: 16}\n"));
}

}  // namespace
}  // namespace lockstep::tests
