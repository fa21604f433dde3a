#include "client/metrics_file.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <vector>

#include "client/json_object.h"

namespace lockstep::client {
namespace {

std::string NewPath() {
  std::string folder = testing::TempDir() + "/metrics-XXXXXX";
  return std::string(mkdtemp(folder.data())) + "/metrics.jsonl";
}

std::vector<google::protobuf::Struct> Lines(const std::string& path) {
  std::vector<google::protobuf::Struct> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto status = google::protobuf::util::JsonStringToMessage(line, &lines.emplace_back());
    EXPECT_TRUE(status.ok()) << line;
  }
  return lines;
}

v1::Progress Epochs(int count) {
  v1::Progress progress;
  for (int i = 1; i <= count; ++i) {
    v1::EpochMetrics* epoch = progress.add_epochs();
    epoch->set_epoch(i);
    epoch->set_step(10 * i);
    epoch->set_training_loss(1.0 / 3);
    if (i % 2 == 0) epoch->set_validation_accuracy(0.5);
  }
  return progress;
}

TEST(MetricsFileTest, HasALinePerEpochAndASummary) {
  const std::string path = NewPath();
  auto file = MetricsFile::Create(path);
  ASSERT_TRUE(file.ok());
  (*file)->Update(Epochs(1));
  (*file)->Update(Epochs(1));
  (*file)->Update(Epochs(2));
  v1::Job job;
  job.set_job_id("job-1");
  job.set_state(v1::SUCCEEDED);
  EXPECT_TRUE((*file)->Finish(SummaryLine(job, 1.5, {"abc", 20, 0}, "m", path)).ok());
  auto lines = Lines(path);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ((*lines[0].mutable_fields())["kind"].string_value(), "epoch");
  EXPECT_EQ((*lines[0].mutable_fields())["training_loss"].number_value(), 1.0 / 3);
  EXPECT_TRUE((*lines[0].mutable_fields())["validation_accuracy"].has_null_value());
  EXPECT_EQ((*lines[1].mutable_fields())["step"].number_value(), 20);
  EXPECT_EQ((*lines[1].mutable_fields())["validation_accuracy"].number_value(), 0.5);
  EXPECT_EQ((*lines[2].mutable_fields())["kind"].string_value(), "summary");
  EXPECT_EQ((*lines[2].mutable_fields())["state"].string_value(), "succeeded");
  EXPECT_EQ((*lines[2].mutable_fields())["model_sha256"].string_value(), "abc");
}

TEST(MetricsFileTest, HoldsWholeLinesOnlyOnAFullDisk) {
  const std::string path = NewPath();
  auto file = MetricsFile::Create(path);
  ASSERT_TRUE(file.ok());
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const struct rlimit small = {1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  (*file)->Update(Epochs(100));
  const absl::Status status = (*file)->Finish("{}\n");
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  const auto lines = Lines(path);
  EXPECT_GE(lines.size(), 3u);
  EXPECT_LT(lines.size(), 100u);
}

TEST(JsonObjectTest, WritesAnyTextAndAnyNumber) {
  EXPECT_EQ(JsonObject().Line(), "{}\n");
  EXPECT_EQ(JsonObject().Add("a", "q\"\\\n\x01").Add("b", uint64_t{18446744073709551615u}).Line(),
            "{\"a\": \"q\\\"\\\\\\u000a\\u0001\", \"b\": 18446744073709551615}\n");
  EXPECT_EQ(JsonObject().Add("a", 0.1).Add("b", std::nan("")).Add("c", 1.0 / 3).Line(),
            "{\"a\": 0.1, \"b\": null, \"c\": 0.3333333333333333}\n");
  EXPECT_EQ(JsonObject().Add("a", std::optional<double>()).Line(), "{\"a\": null}\n");
}

}  // namespace
}  // namespace lockstep::client
