#include "engine/model/job_data.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "engine/data/sha256.h"
#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep {
namespace {

using Examples = std::vector<int64_t>;

// Ten rows: feature i, label i % 3.
constexpr char kTenRows[] = "0,0\n1,1\n2,2\n3,0\n4,1\n5,2\n6,0\n7,1\n8,2\n9,0\n";

class JobDataTest : public ::testing::Test {
 protected:
  v1::JobSpec CsvSpec(absl::string_view text) {
    v1::JobSpec spec;
    spec.mutable_data()->mutable_train()->mutable_csv()->set_path(folder_.Write("t.csv", text));
    spec.mutable_loss()->mutable_cross_entropy();
    return spec;
  }
  v1::CsvSource* Validation(v1::JobSpec* spec, absl::string_view text) {
    v1::CsvSource* csv = spec->mutable_data()->mutable_validation()->mutable_csv();
    csv->set_path(folder_.Write("v.csv", text));
    return csv;
  }
  static Examples Order(const JobData& data, uint64_t epoch) {
    Examples order;
    for (uint64_t i = 0; i < data.training_examples(); ++i) {
      order.push_back(data.TrainingExample(epoch, i));
    }
    return order;
  }
  static std::vector<float> Features(const data::Batch& batch) {
    const auto span = batch.features.span<float>();
    return std::vector<float>(span.begin(), span.end());
  }
  static void ExpectError(const v1::JobSpec& spec, absl::StatusCode code, const std::string& text) {
    const absl::Status status = JobData::Load(spec).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(status.message().find(text), absl::string_view::npos) << status;
  }

  data::TestFolder folder_;
};

TEST_F(JobDataTest, TakesEachEpochInAnOrderOfItsOwn) {
  auto data = *JobData::Load(CsvSpec(kTenRows));
  EXPECT_EQ(data->training_examples(), 10u);
  EXPECT_EQ(data->validation_examples(), 0u);
  // The permutation's own golden values (permutation_test).
  EXPECT_EQ(Order(*data, 0), (Examples{6, 8, 7, 0, 5, 9, 1, 2, 4, 3}));
  EXPECT_EQ(Order(*data, 1), (Examples{5, 8, 4, 6, 3, 1, 0, 2, 7, 9}));
  const data::Batch batch = data->TrainingBatch(1, 2, 3);
  EXPECT_EQ(Features(batch), (std::vector<float>{4, 6, 3}));
  EXPECT_EQ(batch.labels.data<int64_t>()[0], 1);
  EXPECT_EQ(data->TrainingBatch(0, 10, 0).features.shape(), (Shape{0, 1}));
}

TEST_F(JobDataTest, KeepsFileOrderWithoutShuffle) {
  v1::JobSpec spec = CsvSpec(kTenRows);
  spec.set_shuffle(false);
  auto data = *JobData::Load(spec);
  Examples all(10);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(Order(*data, 0), all);
  EXPECT_EQ(Order(*data, 7), all);
}

TEST_F(JobDataTest, SplitsOffAPartForValidationInFileOrder) {
  v1::JobSpec spec = CsvSpec(kTenRows);
  spec.set_shuffle(false);
  spec.mutable_data()->set_validation_fraction(0.2);
  auto data = *JobData::Load(spec);
  EXPECT_EQ(data->validation_examples(), 2u);
  // By the independent implementation that permutation_test speaks of.
  EXPECT_EQ(Order(*data, 0), (Examples{0, 2, 3, 4, 5, 7, 8, 9}));
  EXPECT_EQ(Features(data->ValidationBatch(0, 2)), (std::vector<float>{1, 6}));
  spec.set_shuffle(true);
  Examples shuffled = Order(**JobData::Load(spec), 3);
  EXPECT_NE(shuffled, Order(*data, 0));
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, Order(*data, 0));
}

TEST_F(JobDataTest, RoundsTheSplitHalfUpAndLeavesOneToTrain) {
  v1::JobSpec spec = CsvSpec(kTenRows);
  const auto validation_examples = [&spec](double fraction) {
    spec.mutable_data()->set_validation_fraction(fraction);
    auto data = *JobData::Load(spec);
    EXPECT_EQ(data->training_examples() + data->validation_examples(), 10u);
    return data->validation_examples();
  };
  EXPECT_EQ(validation_examples(0), 0u);
  EXPECT_EQ(validation_examples(0.04), 0u);
  EXPECT_EQ(validation_examples(0.25), 3u);
  EXPECT_EQ(validation_examples(0.5), 5u);
  EXPECT_EQ(validation_examples(0.999), 9u);
}

TEST_F(JobDataTest, ReadsValidationOfItsOwn) {
  v1::JobSpec spec = CsvSpec(kTenRows);
  Validation(&spec, "10,7\n11,0\n");
  auto data = *JobData::Load(spec);
  EXPECT_EQ(data->training_examples(), 10u);
  EXPECT_EQ(data->validation_examples(), 2u);
  EXPECT_EQ(Features(data->ValidationBatch(1, 1)), (std::vector<float>{11}));
  const v1::DataSummary summary = data->Summary();
  EXPECT_EQ(summary.training_examples(), 10u);
  EXPECT_EQ(summary.validation_examples(), 2u);
  ASSERT_EQ(summary.example_shape_size(), 1);
  EXPECT_EQ(summary.example_shape(0), 1);
  EXPECT_EQ(summary.classes(), 8u) << "the greatest label stands in validation";
}

TEST_F(JobDataTest, GivesFloatLabelsForSquaredError) {
  v1::JobSpec spec = CsvSpec("1,0.5\n2,-3\n");
  spec.mutable_loss()->mutable_mse();
  spec.set_shuffle(false);
  auto data = *JobData::Load(spec);
  EXPECT_FALSE(data->integer_labels());
  EXPECT_EQ(data->class_count(), 0u);
  EXPECT_EQ(data->TrainingBatch(0, 1, 1).labels.item(), -3.0f);
}

TEST_F(JobDataTest, NamesTheLabelThatIsNoClass) {
  ExpectError(CsvSpec("1,0\n2,1.5\n"), absl::StatusCode::kInvalidArgument,
              "t.csv:2: label for cross_entropy, got 1.5, want a whole number from 0 to 16777215");
  v1::JobSpec spec = CsvSpec(kTenRows);
  Validation(&spec, "a,b\n1,0\n2,-1\n")->set_header(true);
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "v.csv:3: label for cross_entropy, got -1");
}

TEST_F(JobDataTest, RefusesPartsThatDoNotFit) {
  v1::JobSpec spec = CsvSpec(kTenRows);
  Validation(&spec, "1,2,0\n");
  ExpectError(spec, absl::StatusCode::kInvalidArgument,
              "validation example's shape, got [2], want [1]");
  spec.mutable_data()->set_validation_fraction(0.5);
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "want one of them");
  for (double fraction : {-0.1, 1.0, std::nan("")}) {
    spec = CsvSpec(kTenRows);
    spec.mutable_data()->set_validation_fraction(fraction);
    ExpectError(spec, absl::StatusCode::kInvalidArgument, "data.validation_fraction");
  }
  ExpectError(v1::JobSpec(), absl::StatusCode::kInvalidArgument, "data.train: source, got none");
  spec = CsvSpec(kTenRows);
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path("t.csv");
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "want an absolute one");
}

TEST_F(JobDataTest, ChecksTheFilesDigests) {
  v1::JobSpec spec = CsvSpec(kTenRows);
  Validation(&spec, "10,1\n");
  ASSERT_TRUE(FillDataDigests(&spec).ok());
  EXPECT_EQ(spec.data().train().csv().sha256(), data::Sha256Hex(kTenRows));
  EXPECT_EQ(spec.data().validation().csv().sha256(), data::Sha256Hex("10,1\n"));
  EXPECT_TRUE(JobData::Load(spec).ok());
  folder_.Write("v.csv", "10,2\n");
  ExpectError(spec, absl::StatusCode::kFailedPrecondition,
              "v.csv: not the job's data: SHA-256, got " + data::Sha256Hex("10,2\n") + ", want " +
                  data::Sha256Hex("10,1\n"));
  // Another file that is no data at all: what counts is that it is another.
  folder_.Write("v.csv", "junk");
  ExpectError(spec, absl::StatusCode::kFailedPrecondition, "v.csv: not the job's data");
  std::filesystem::remove(folder_.PathOf("v.csv"));
  ExpectError(spec, absl::StatusCode::kNotFound, "v.csv");
  EXPECT_EQ(FillDataDigests(&spec).code(), absl::StatusCode::kNotFound);
}

TEST_F(JobDataTest, ReadsIdxAndChecksBothDigests) {
  v1::JobSpec spec;
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_data()->mutable_scaling()->set_divide_by(2);
  v1::IdxSource* idx = spec.mutable_data()->mutable_train()->mutable_idx();
  idx->set_images(folder_.Write("images", data::IdxHeader({2, 1, 2}) + "\x01\x02\x03\x04"));
  idx->set_labels(folder_.Write("labels", data::IdxHeader({2}) + "\x01\x03"));
  ASSERT_TRUE(FillDataDigests(&spec).ok());
  spec.set_shuffle(false);
  auto data = JobData::Load(spec);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(Features((*data)->TrainingBatch(0, 0, 2)), (std::vector<float>{0.5, 1, 1.5, 2}));
  EXPECT_EQ((*data)->Summary().classes(), 4u);
  EXPECT_EQ((*data)->Summary().example_shape_size(), 2);
  folder_.Write("labels", data::IdxHeader({2}) + "\x01\x02");
  ExpectError(spec, absl::StatusCode::kFailedPrecondition, "labels: not the job's data");
  folder_.Write("labels", data::IdxHeader({3}) + "\x01\x02\x03");
  ExpectError(spec, absl::StatusCode::kFailedPrecondition, "labels: not the job's data");
  folder_.Write("images", "junk");
  ExpectError(spec, absl::StatusCode::kFailedPrecondition, "images: not the job's data");
}

TEST_F(JobDataTest, ReadsTheDigitsExample) {
  v1::JobSpec spec;
  spec.mutable_loss()->mutable_cross_entropy();
  v1::CsvSource* csv = spec.mutable_data()->mutable_train()->mutable_csv();
  csv->set_path(std::filesystem::absolute("examples/digits/digits.csv").string());
  csv->set_header(true);
  csv->set_label_column("label");
  spec.mutable_data()->set_validation_fraction(0.2);
  spec.mutable_data()->mutable_scaling()->set_divide_by(16);
  auto data = JobData::Load(spec);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ((*data)->training_examples(), 1438u);
  EXPECT_EQ((*data)->validation_examples(), 359u);
  EXPECT_EQ((*data)->example_shape(), (Shape{64}));
  EXPECT_EQ((*data)->class_count(), 10u);
  for (float value : Features((*data)->TrainingBatch(0, 0, 1438))) {
    ASSERT_TRUE(value >= 0 && value <= 1) << value;
  }
}

TEST_F(JobDataTest, TextHasItsVocabularyInTheSummary) {
  v1::JobSpec spec;
  spec.mutable_loss()->mutable_cross_entropy();
  spec.set_shuffle(false);
  v1::TextSource* text = spec.mutable_data()->mutable_train()->mutable_text();
  text->set_path(folder_.Write("t.txt", "abcabcabdz"));
  text->set_context(2);
  text->set_to(0.8);
  v1::TextSource* validation = spec.mutable_data()->mutable_validation()->mutable_text();
  *validation = *text;
  validation->set_from(0.6);
  validation->set_to(1);
  ASSERT_TRUE(FillDataDigests(&spec).ok());
  EXPECT_EQ(text->sha256(), *data::FileSha256(text->path()));
  auto data = *JobData::Load(spec);
  const v1::DataSummary summary = data->Summary();
  EXPECT_EQ(summary.training_examples(), 3u);
  EXPECT_EQ(summary.validation_examples(), 1u);
  EXPECT_EQ(summary.classes(), 5u);
  EXPECT_EQ(summary.vocabulary(), 5u);
  EXPECT_EQ(summary.characters(), "abcdz");
  EXPECT_EQ(summary.label_shape_size(), 1);
  const data::Batch batch = data->ValidationBatch(0, 1);
  EXPECT_EQ(batch.features.ToString(), "tensor([[0, 1]])");
  EXPECT_EQ(batch.labels.ToString(), "tensor([[1, 3]])");
  validation->set_path(folder_.Write("v.txt", "abcq"));
  validation->clear_sha256();
  validation->set_from(0);
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "v.txt:1:4: character, got \"q\"");
  validation->set_context(1);
  validation->set_path(text->path());
  ExpectError(spec, absl::StatusCode::kInvalidArgument, "shape, got [1], want [2] as in training");
}

}  // namespace
}  // namespace lockstep
