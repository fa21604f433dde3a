#include "engine/data/csv_dataset.h"

#include <clocale>
#include <cmath>
#include <numeric>

#include "engine/data/nearest_name.h"
#include "engine/data/sha256.h"
#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

// A file without header whose last column is the label.
absl::StatusOr<std::unique_ptr<CsvDataset>> LoadFile(const std::string& path) {
  CsvOptions options;
  options.path = path;
  return CsvDataset::Load(options);
}

int64_t ClassLabel(const Dataset& dataset, int64_t example) {
  int64_t label = -1;
  dataset.CopyClassLabels(example, &label);
  return label;
}

float Target(const Dataset& dataset, int64_t example) {
  float target = 0;
  dataset.CopyTargets(example, &target);
  return target;
}

class CsvDatasetTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<CsvDataset>> Load(absl::string_view text, bool header = false,
                                                   const std::string& label_column = "",
                                                   const Scaling& scaling = {}) {
    CsvOptions options;
    options.path = folder_.Write("data.csv", text);
    options.header = header;
    if (!label_column.empty()) options.label_columns = {label_column};
    options.scaling = scaling;
    return CsvDataset::Load(options);
  }

  // Features and label of one example.
  static std::vector<float> Row(const CsvDataset& dataset, int64_t example) {
    std::vector<float> row(dataset.example_shape().element_count() + 1);
    dataset.CopyFeatures(example, row.data());
    dataset.CopyTargets(example, &row.back());
    return row;
  }

  void ExpectError(const absl::Status& status, const std::string& message) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(std::string(status.message()), folder_.PathOf("data.csv") + message);
  }

  TestFolder folder_;
};

using Values = std::vector<float>;

TEST_F(CsvDatasetTest, ReadsRowsWithTheLabelLast) {
  auto dataset = Load("1,2.5,0\n-3,4e2,2\n");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->example_count(), 2);
  EXPECT_EQ((*dataset)->example_shape(), (Shape{2}));
  EXPECT_EQ((*dataset)->class_count(), 3u);
  EXPECT_EQ(ClassLabel(**dataset, 1), 2);
  EXPECT_EQ(Row(**dataset, 0), (Values{1, 2.5, 0}));
  EXPECT_EQ(Row(**dataset, 1), (Values{-3, 400, 2}));
  EXPECT_EQ((*dataset)->LabelPlace(1), folder_.PathOf("data.csv") + ":2");
  EXPECT_EQ((*dataset)->sha256(), Sha256Hex("1,2.5,0\n-3,4e2,2\n"));
}

TEST_F(CsvDatasetTest, FindsTheLabelByNameOrIndex) {
  const std::string text = "a,kind,c\n1,2,3\n";
  EXPECT_EQ(Row(**Load(text, true, "kind"), 0), (Values{1, 3, 2}));
  EXPECT_EQ(Row(**Load(text, true, "0"), 0), (Values{2, 3, 1}));
  EXPECT_EQ(Row(**Load(text, true, "-1"), 0), (Values{1, 2, 3}));
  EXPECT_EQ(Row(**Load(text, true, ""), 0), (Values{1, 2, 3}));
  EXPECT_EQ(Row(**Load("1,2,3", false, "-3"), 0), (Values{2, 3, 1}));
  EXPECT_EQ((*Load(text, true, "kind"))->LabelPlace(0), folder_.PathOf("data.csv") + ":2");
  EXPECT_EQ(Row(**Load("2,1,0\n5,6,7\n", true, "0"), 0), (Values{5, 6, 7}))
      << "a name wins over an index";
}

TEST_F(CsvDatasetTest, ExplainsALabelColumnThatIsNotThere) {
  ExpectError(Load("height,weight,label\n1,2,3\n", true, "lable").status(),
              ":1:1: label column, got \"lable\", want a column's name; the nearest is \"label\"");
  ExpectError(Load("1,2,3\n", false, "label").status(),
              ":1:1: label column, got \"label\", want an index, for the file has no header");
  ExpectError(Load("1,2,3\n", false, "3").status(),
              ":1:1: label column, got 3, want -3 to 2 as the file has 3 columns");
  ExpectError(Load("1,2,3\n", false, "-4").status(),
              ":1:1: label column, got -4, want -3 to 2 as the file has 3 columns");
  ExpectError(Load("a,b,a\n1,2,3\n", true, "a").status(),
              ":1:1: label column, got the name \"a\" twice in the header, want it once");
}

TEST_F(CsvDatasetTest, AcceptsTheUsualVariants) {
  EXPECT_EQ(Row(**Load("1,2\r\n3,4\r\n\r\n"), 1), (Values{3, 4}));
  EXPECT_EQ(Row(**Load("1,2\n3,4\n\n\n"), 1), (Values{3, 4}));
  EXPECT_EQ(Row(**Load("1,2\n3,4"), 1), (Values{3, 4}));
  EXPECT_EQ(Row(**Load("\xEF\xBB\xBFx,y\n1,2\n", true, "x"), 0), (Values{2, 1}));
  EXPECT_EQ(Row(**Load(" 1 ,\t+2.5,\"3\" \n"), 0), (Values{1, 2.5, 3}));
  EXPECT_EQ(Row(**Load("\"a,\"\"b\"\"\",c\n\"1\",\"2\"\n", true, "a,\"b\""), 0), (Values{2, 1}));
  EXPECT_EQ(Row(**Load("1e-60,.5,5.,0016777217,-0\n"), 0), (Values{0, 0.5, 5, 16777216, -0.0f}));
  EXPECT_TRUE(std::signbit(Target(**Load("1,-0\n"), 0)));
}

TEST_F(CsvDatasetTest, ReadsGzip) {
  const std::string zipped = Gzip("1,2\n3,4\n");
  auto dataset = LoadFile(folder_.Write("data.csv.gz", zipped));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(Row(**dataset, 1), (Values{3, 4}));
  EXPECT_EQ((*dataset)->sha256(), Sha256Hex(zipped));
  EXPECT_EQ(LoadFile(folder_.Write("cut.csv.gz", zipped.substr(0, 15))).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(CsvDatasetTest, ScalesFeaturesAndNotLabels) {
  const Scaling scaling{16.0f, 0.3f, 0.7f};
  const float want = ((5.0f / 16.0f) - 0.3f) / 0.7f;
  EXPECT_EQ(Row(**Load("5,5\n", false, "", scaling), 0), (Values{want, 5}));
}

TEST_F(CsvDatasetTest, NamesThePlaceOfEveryMistake) {
  ExpectError(Load("").status(), ":1:1: rows, got 0, want at least 1");
  ExpectError(Load("\n\n").status(), ":2:1: rows, got 0, want at least 1");
  ExpectError(Load("a,b\n", true).status(), ":1:1: rows, got 0, want at least 1");
  ExpectError(Load("5\n6\n").status(),
              ":1:1: columns, got 1, want at least 2: a feature and the label");
  ExpectError(Load("1,2,3\n1,2\n").status(), ":2:4: fields in the row, got 2, want 3");
  ExpectError(Load("1,2\n1,2,3\n").status(), ":2:5: fields in the row, got 3, want 2");
  ExpectError(Load("1,2\n\n3,4\n").status(), ":2:1: line, got a blank one, want values");
  ExpectError(Load("1,2\n1,x2\n").status(), ":2:3: label, got \"x2\", want a number");
  ExpectError(Load("1,2\n ?,2\n").status(), ":2:2: feature, got \"?\", want a number");
  ExpectError(Load("1,2\n,2\n").status(), ":2:1: feature, got \"\", want a number");
  ExpectError(Load("1,0x10\n").status(), ":1:3: label, got \"0x10\", want a number");
  ExpectError(Load("a,b\n1,2\n").status(), ":1:1: feature, got \"a\", want a number");
  ExpectError(Load("1,\"2\n").status(),
              ":1:3: quote, got no closing one, want it on the same line");
  ExpectError(Load("\"1\"5,2\n").status(),
              ":1:4: quoted field, got text behind its closing quote, want a comma");
  ExpectError(Load(std::string("1,\0\n", 4)).status(), ":1:3: label, got \"\\x00\", want a number");
}

TEST_F(CsvDatasetTest, RefusesWhatIsNotFinite) {
  const std::string want = ", want a number that is finite in float32 once scaled";
  ExpectError(Load("nan,1\n").status(), ":1:1: feature, got \"nan\"" + want);
  ExpectError(Load("1,inf\n").status(), ":1:3: label, got \"inf\"" + want);
  ExpectError(Load("1,-1e39\n").status(), ":1:3: label, got \"-1e39\"" + want);
  ExpectError(Load("1e38,1\n", false, "", {1e-10f, {}, {}}).status(),
              ":1:1: feature, got \"1e38\"" + want);
}

TEST_F(CsvDatasetTest, CountsClassesOnlyWhereAllLabelsAreClasses) {
  EXPECT_EQ((*Load("1,0\n1,0\n"))->class_count(), 1u);
  EXPECT_EQ((*Load("1,16777215\n"))->class_count(), 16777216u);
  EXPECT_EQ((*Load("1,16777216\n"))->class_count(), 0u);
  EXPECT_EQ((*Load("1,1\n1,0.5\n"))->class_count(), 0u);
  EXPECT_EQ((*Load("1,1\n1,-1\n"))->class_count(), 0u);
  EXPECT_EQ((*Load("1,1e30\n"))->class_count(), 0u);
}

TEST_F(CsvDatasetTest, DoesNotAskTheLocale) {
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no German locale here";
  EXPECT_EQ(Row(**Load("1.5,2\n"), 0), (Values{1.5, 2}));
  std::setlocale(LC_ALL, "C");
}

TEST_F(CsvDatasetTest, GathersBatchesInTheOrderAskedFor) {
  auto dataset = *Load("1,2,0\n3,4,1\n5,6,2\n");
  const Batch classes = GatherBatch(*dataset, {2, 0, 2}, true);
  EXPECT_EQ(classes.features.shape(), (Shape{3, 2}));
  EXPECT_EQ(classes.labels.shape(), (Shape{3}));
  const auto features = classes.features.span<float>();
  EXPECT_EQ(Values(features.begin(), features.end()), (Values{5, 6, 1, 2, 5, 6}));
  const auto labels = classes.labels.span<int64_t>();
  EXPECT_EQ(std::vector<int64_t>(labels.begin(), labels.end()), (std::vector<int64_t>{2, 0, 2}));
  const Batch targets = GatherBatch(*dataset, {1}, false);
  EXPECT_EQ(targets.labels.dtype(), DType::kFloat32);
  EXPECT_EQ(targets.labels.item(), 1.0f);
  EXPECT_EQ(GatherBatch(*dataset, {}, true).features.shape(), (Shape{0, 2}));
}

TEST(NearestNameTest, TakesTheLeastEditDistance) {
  EXPECT_EQ(NearestName("lable", {"height", "label", "title"}), "label");
  EXPECT_EQ(NearestName("x", {}), "");
  EXPECT_EQ(NearestName("", {"abc", "d"}), "d");
}

TEST(CsvRealDataTest, ReadsTheOpticalDigits) {
  const std::string training = RealDataPath("optdigits/optdigits.tra");
  if (training.empty()) GTEST_SKIP() << "LOCKSTEP_DATA_DIR is not set";
  auto dataset = LoadFile(training);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->example_count(), 3823);
  EXPECT_EQ((*dataset)->example_shape(), (Shape{64}));
  EXPECT_EQ((*dataset)->class_count(), 10u);
  EXPECT_EQ((*dataset)->sha256(),
            "e1b683cc211604fe8fd8c4417e6a69f31380e0c61d4af22e93cc21e9257ffedd");
  auto plain = LoadFile(RealDataPath("optdigits/optdigits.tes"));
  auto zipped = LoadFile(RealDataPath("sklearn-toy/digits.csv.gz"));
  ASSERT_TRUE(plain.ok() && zipped.ok()) << plain.status() << zipped.status();
  std::vector<int64_t> all(1797);
  std::iota(all.begin(), all.end(), 0);
  const Batch a = GatherBatch(**plain, all, true);
  const Batch b = GatherBatch(**zipped, all, true);
  EXPECT_TRUE(a.features.span<float>() == b.features.span<float>());
  EXPECT_TRUE(a.labels.span<int64_t>() == b.labels.span<int64_t>());
}

TEST_F(CsvDatasetTest, SeveralLabelColumnsStandInTheirOwnOrder) {
  CsvOptions options;
  options.path = folder_.Write("data.csv", "a,b,c,d\n1,2,3,4\n5,6,7,8.5\n");
  options.header = true;
  options.label_columns = {"d", "b"};
  const auto dataset = CsvDataset::Load(options);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->example_shape(), Shape{2});
  EXPECT_EQ((*dataset)->label_shape(), Shape{2});
  EXPECT_EQ((*dataset)->class_count(), 0u);
  const Batch batch = GatherBatch(**dataset, {1, 0}, false);
  EXPECT_EQ(batch.features.ToString(), "tensor([[5, 7], [1, 3]])");
  EXPECT_EQ(batch.labels.ToString(), "tensor([[8.5, 6], [4, 2]])");
  EXPECT_FALSE(batch.weights.defined());
  options.label_columns = {"d", "-1"};
  ExpectError(CsvDataset::Load(options).status(),
              ":1:1: label column, got \"-1\", which is named before, want another column");
}

TEST_F(CsvDatasetTest, AWeightColumnIsNoFeature) {
  CsvOptions options;
  options.path = folder_.Write("data.csv", "0.5,1,2\n0,3,4\n");
  options.weight_column = "0";
  const auto dataset = CsvDataset::Load(options);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->example_shape(), Shape{1});
  EXPECT_EQ(GatherBatch(**dataset, {1, 0}, true).weights.ToString(), "tensor([0, 0.5])");
  options.path = folder_.Write("data.csv", "1,1,2\n-1,3,4\n");
  ExpectError(CsvDataset::Load(options).status(), ":2:1: weight, got \"-1\", want 0 or more");
  options.path = folder_.Write("data.csv", "1,1\n");
  ExpectError(CsvDataset::Load(options).status(),
              ":1:1: columns, got 2, want at least 3: a feature, the labels and the weight");
}

}  // namespace
}  // namespace lockstep::data
