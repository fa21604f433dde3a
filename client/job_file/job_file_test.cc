#include "client/job_file/job_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "engine/data/safetensors.h"
#include "engine/data/sha256.h"
#include "engine/tensor.h"

namespace lockstep::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kJob[] = R"(data:
  train:
    csv:
      path: sub/train.csv
model:
  - linear: {out_features: 3}
loss: cross_entropy
optimizer: adam
epochs: 2
batch_size: 2
)";

// A folder of its own for each test, with a job file and its data.
class LoadJobFileTest : public testing::Test {
 protected:
  LoadJobFileTest()
      // Normal, as the paths in the specification are: TempDir ends in a slash.
      : folder_((std::filesystem::path(testing::TempDir()) /
                 testing::UnitTest::GetInstance()->current_test_info()->name())
                    .lexically_normal()) {
    std::filesystem::create_directories(folder_ + "/sub");
    Write("sub/train.csv", "1,2,0\n3,4,1\n5,6,2\n7,8,0\n9,1,1\n");
  }

  std::string PathOf(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& contents) const {
    std::ofstream(PathOf(name), std::ios::binary) << contents;
  }

  LoadedJobFile Load(const std::string& text) const {
    Write("job.yaml", text);
    return LoadJobFile(PathOf("job.yaml"));
  }
  // The problems with the folder's path taken out.
  std::vector<std::string> Problems(const std::string& text) const {
    std::vector<std::string> problems = Load(text).problems;
    for (std::string& line : problems) line = absl::StrReplaceAll(line, {{folder_ + "/", ""}});
    return problems;
  }
  static std::string Changed(const std::string& from, const std::string& to) {
    const std::string text = absl::StrReplaceAll(kJob, {{from, to}});
    EXPECT_NE(text, kJob) << from;
    return text;
  }

  // A model file with these tensors, all zero.
  void WriteModel(const std::vector<std::pair<std::string, Shape>>& tensors) const {
    std::vector<data::NamedTensor> named;
    for (const auto& [name, shape] : tensors) named.push_back({name, Tensor::Zeros(shape)});
    ASSERT_TRUE(data::WriteSafetensors(PathOf("m.safetensors"), named, {}).ok());
  }

  const std::string folder_;
};

TEST_F(LoadJobFileTest, CompletesAValidFile) {
  const LoadedJobFile loaded = Load(kJob);
  ASSERT_TRUE(loaded.ok()) << absl::StrJoin(loaded.problems, "\n");
  const v1::CsvSource& csv = loaded.spec.data().train().csv();
  EXPECT_EQ(csv.path(), PathOf("sub/train.csv"));
  EXPECT_EQ(csv.sha256(), *data::FileSha256(PathOf("sub/train.csv")));
  EXPECT_EQ(loaded.spec.name(), "job");
  EXPECT_EQ(loaded.spec.shards(), 8);
  const v1::DataSummary& summary = loaded.spec.data_summary();
  EXPECT_EQ(summary.training_examples(), 5);
  EXPECT_EQ(summary.validation_examples(), 0);
  EXPECT_THAT(summary.example_shape(), ElementsAre(2));
  EXPECT_EQ(summary.classes(), 3);
}

TEST_F(LoadJobFileTest, LoadsTheDigitsExample) {
  const LoadedJobFile loaded = LoadJobFile("examples/digits/job.yaml");
  ASSERT_TRUE(loaded.ok()) << absl::StrJoin(loaded.problems, "\n");
  EXPECT_THAT(loaded.spec.data().train().csv().path(),
              AllOf(StartsWith("/"), EndsWith("/examples/digits/digits.csv")));
  EXPECT_EQ(loaded.spec.data_summary().training_examples(), 1438);
  EXPECT_EQ(loaded.spec.data_summary().validation_examples(), 359);
  EXPECT_THAT(loaded.spec.data_summary().example_shape(), ElementsAre(64));
  EXPECT_EQ(loaded.spec.data_summary().classes(), 10);
}

TEST_F(LoadJobFileTest, TakesAbsolutePathsAsTheyAre) {
  const LoadedJobFile loaded = Load(Changed("sub/train.csv", PathOf("sub/../sub/train.csv")));
  ASSERT_TRUE(loaded.ok()) << absl::StrJoin(loaded.problems, "\n");
  EXPECT_EQ(loaded.spec.data().train().csv().path(), PathOf("sub/train.csv"));
}

TEST_F(LoadJobFileTest, ReportsAJobFileThatCannotBeRead) {
  EXPECT_THAT(LoadJobFile("missing.yaml").problems,
              ElementsAre("missing.yaml: no such file, want a job file in YAML"));
  EXPECT_THAT(LoadJobFile(folder_).problems,
              ElementsAre(folder_ + ": got a folder, want a job file in YAML"));
  EXPECT_THAT(LoadJobFile("").problems, ElementsAre(HasSubstr("no such file")));
}

TEST_F(LoadJobFileTest, ReportsProblemsOfTheTextBeforeItOpensData) {
  EXPECT_THAT(Problems(Changed("batch_size: 2", "batch_size: 0")),
              ElementsAre("job.yaml:10:13: batch_size: got 0, want 1 to 16777216"));
}

TEST_F(LoadJobFileTest, ReportsEveryDataFileThatIsNotThere) {
  EXPECT_THAT(Problems(Changed("sub/train.csv", "none.csv") + "init_from: sub\n"),
              ElementsAre(AllOf(StartsWith("job.yaml:4:13: data.train.csv.path: "),
                                HasSubstr("none.csv: cannot open: No such file")),
                          "job.yaml:11:12: init_from: sub: got a folder, want a file"));
}

TEST_F(LoadJobFileTest, PointsAtTheSourceWhoseFileIsMalformed) {
  Write("sub/bad.csv", "1,2,0\n3,x,1\n");
  const std::string validation = "  validation: {csv: {path: sub/bad.csv}}\nmodel:";
  EXPECT_THAT(Problems(Changed("model:", validation)),
              ElementsAre(AllOf(StartsWith("job.yaml:5:28: data.validation.csv.path: "),
                                HasSubstr("sub/bad.csv:2"))));
}

TEST_F(LoadJobFileTest, PointsAtTheLayerThatDoesNotFit) {
  EXPECT_THAT(Problems(Changed("out_features: 3", "out_features: 2")),
              ElementsAre(StartsWith("job.yaml:6:28: model[0].linear.out_features: ")));
  EXPECT_THAT(Problems(Changed("loss: cross_entropy", "loss: mse")),
              ElementsAre(StartsWith("job.yaml:6:28: model[0].linear.out_features: ")));
}

TEST_F(LoadJobFileTest, ReportsMoreStepsThanCanBeCounted) {
  EXPECT_THAT(Problems(Changed("epochs: 2", "epochs: 4611686018427387904")),
              ElementsAre(StartsWith("job.yaml:9:9: epochs: got 4611686018427387904, want ")));
}

TEST_F(LoadJobFileTest, AcceptsAModelToStartFrom) {
  WriteModel({{"0.weight", Shape{3, 2}}, {"0.bias", Shape{3}}});
  const LoadedJobFile loaded = Load(absl::StrCat(kJob, "init_from: m.safetensors\n"));
  ASSERT_TRUE(loaded.ok()) << absl::StrJoin(loaded.problems, "\n");
  EXPECT_EQ(loaded.spec.init_from(), PathOf("m.safetensors"));
  EXPECT_EQ(loaded.spec.init_from_sha256(), *data::FileSha256(PathOf("m.safetensors")));
}

TEST_F(LoadJobFileTest, ComparesTheTensorsToStartFrom) {
  WriteModel({{"0.weight", Shape{3, 5}}, {"1.bias", Shape{3}}});
  EXPECT_THAT(Problems(absl::StrCat(kJob, "init_from: m.safetensors\n")),
              ElementsAre("job.yaml:11:12: init_from: tensor '0.weight': got shape [3, 5], want "
                          "[3, 2]",
                          "job.yaml:11:12: init_from: tensor '0.bias' is not in the file, want "
                          "shape [3]",
                          "job.yaml:11:12: init_from: tensor '1.bias' of shape [3] is not in the "
                          "model"));
}

TEST_F(LoadJobFileTest, ReportsAModelFileThatIsNone) {
  Write("m.safetensors", "not a model");
  EXPECT_THAT(Problems(absl::StrCat(kJob, "init_from: m.safetensors\n")),
              ElementsAre(StartsWith("job.yaml:11:12: init_from: m.safetensors: ")));
}

// Loads with data files of which one is broken in some way: always an answer.
TEST_F(LoadJobFileTest, AnswersDamagedDataFiles) {
  for (const std::string& contents :
       {std::string(), std::string("\n"), std::string("1\n"), std::string("a,b,c\n"),
        std::string("1,2\n1,2,3\n"), std::string(1000, '\0'), std::string("1,2,1e99\n"),
        std::string("1,2,-1\n"), std::string("1,2,0.5\n"), std::string("nan,inf,0\n")}) {
    Write("sub/train.csv", contents);
    const std::vector<std::string> problems = Problems(kJob);
    EXPECT_FALSE(problems.empty()) << contents;
    for (const std::string& line : problems) {
      EXPECT_THAT(line, StartsWith("job.yaml:")) << contents;
      EXPECT_EQ(line.find('\n'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace lockstep::client
