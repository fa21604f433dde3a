#include "engine/data/idx_dataset.h"

#include <numeric>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/data/sha256.h"
#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

using Loaded = absl::StatusOr<std::unique_ptr<IdxDataset>>;

// Three images of 2x2 and their labels.
const char* const kImageBytes = "\x01\x02\x03\x04\x05\x06\x07\x08\xFF\xFE\xFD\xFC";
const char* const kLabelBytes = "\x02\x09\x01";
std::string Images() { return IdxHeader({3, 2, 2}) + std::string(kImageBytes, 12); }
std::string Labels() { return IdxHeader({3}) + std::string(kLabelBytes, 3); }

int64_t ClassLabel(const Dataset& dataset, int64_t example) {
  int64_t label = -1;
  dataset.CopyClassLabels(example, &label);
  return label;
}

class IdxDatasetTest : public ::testing::Test {
 protected:
  Loaded Load(absl::string_view images, absl::string_view labels, const Scaling& scaling = {}) {
    return IdxDataset::Load(
        {folder_.Write("images", images), folder_.Write("labels", labels), scaling});
  }

  void ExpectError(const absl::Status& status, const std::string& file,
                   const std::string& message) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(std::string(status.message()), folder_.PathOf(file) + message);
  }

  TestFolder folder_;
};

TEST_F(IdxDatasetTest, ReadsImagesAndLabels) {
  Loaded dataset = Load(Images(), Labels());
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->example_count(), 3);
  EXPECT_EQ((*dataset)->example_shape(), (Shape{2, 2}));
  EXPECT_EQ((*dataset)->class_count(), 10u);
  EXPECT_EQ(ClassLabel(**dataset, 1), 9);
  EXPECT_EQ(GatherBatch(**dataset, {2}, false).labels.ToString(), "tensor([1])");
  std::vector<float> features(4);
  (*dataset)->CopyFeatures(2, features.data());
  EXPECT_EQ(features, (std::vector<float>{255, 254, 253, 252}));
  EXPECT_EQ((*dataset)->images_sha256(), Sha256Hex(Images()));
  EXPECT_EQ((*dataset)->labels_sha256(), Sha256Hex(Labels()));
  EXPECT_EQ((*dataset)->LabelPlace(2), folder_.PathOf("labels") + ": label 2");
  EXPECT_EQ(GatherBatch(**dataset, {1, 0}, true).features.shape(), (Shape{2, 2, 2}));
}

TEST_F(IdxDatasetTest, ReadsGzip) {
  const std::string images = Gzip(Images());
  const std::string labels = Gzip(Labels());
  Loaded dataset = IdxDataset::Load(
      {folder_.Write("images.gz", images), folder_.Write("labels.gz", labels), {}});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(ClassLabel(**dataset, 0), 2);
  EXPECT_EQ((*dataset)->images_sha256(), Sha256Hex(images));
  std::string wrong_sum = images;
  wrong_sum[images.size() - 5] = static_cast<char>(wrong_sum[images.size() - 5] ^ 1);
  for (const std::string& bad : {wrong_sum, images.substr(0, images.size() - 9)}) {
    dataset =
        IdxDataset::Load({folder_.Write("images.gz", bad), folder_.Write("labels.gz", labels), {}});
    EXPECT_EQ(dataset.status().code(), absl::StatusCode::kDataLoss) << dataset.status();
  }
}

TEST_F(IdxDatasetTest, ScalesEveryByteAsFloat32) {
  const Scaling scaling{255.0f, 0.2860f, 0.3530f};
  std::string bytes(256, '\0');
  for (int i = 0; i < 256; ++i) bytes[i] = static_cast<char>(i);
  Loaded dataset = Load(IdxHeader({1, 256}) + bytes, IdxHeader({1}) + "\x01", scaling);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  std::vector<float> features(256);
  (*dataset)->CopyFeatures(0, features.data());
  for (int i = 0; i < 256; ++i) {
    const float divided = static_cast<float>(i) / 255.0f;
    const float centred = divided - 0.2860f;
    EXPECT_EQ(features[i], centred / 0.3530f) << i;
  }
  const absl::Status status = Load(Images(), Labels(), {1e-38f, {}, 1e-10f}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(IdxDatasetTest, RefusesWrongHeaders) {
  ExpectError(Load(Images(), "").status(), "labels",
              ": IDX header, got its end after 0 bytes, want 4 more");
  ExpectError(Load(IdxHeader({3, 2, 2}).substr(0, 10), Labels()).status(), "images",
              ": IDX header, got its end after 2 bytes, want 4 more");
  ExpectError(Load("PNG.image", Labels()).status(), "images",
              ": IDX header's first bytes, got 80 78 71, want 0 0 8 (a file of unsigned bytes)");
  std::string floats = Images();
  floats[2] = 0x0D;
  ExpectError(Load(floats, Labels()).status(), "images",
              ": IDX header's first bytes, got 0 0 13, want 0 0 8 (a file of unsigned bytes)");
  ExpectError(Load(Labels(), Labels()).status(), "images", ": IDX rank, got 1, want 2 or more");
  ExpectError(Load(Images(), Images()).status(), "labels", ": IDX rank, got 3, want 1");
  ExpectError(Load(IdxHeader({3, 0, 2}), Labels()).status(), "images",
              ": IDX extent of axis 1, got 0, want at least 1");
}

TEST_F(IdxDatasetTest, RefusesTooFewAndTooManyBytes) {
  ExpectError(Load(Images() + "x", Labels()).status(), "images",
              ": IDX elements, got bytes behind the last one, want 12 and the file's end");
  ExpectError(Load(Images(), Labels().substr(0, 10)).status(), "labels",
              ": IDX elements, got 2 bytes to the file's end, want 3");
  ExpectError(Load(Images(), IdxHeader({2}) + "ab").status(), "labels",
              ": labels, got 2, want 3 as in " + folder_.PathOf("images"));
  // Fewer bytes than the file has, yet more than are behind the header.
  ExpectError(Load(IdxHeader({3, 2, 3}) + std::string(12, 'x'), Labels()).status(), "images",
              ": IDX elements, got 12 bytes to the file's end, want 18");
}

TEST_F(IdxDatasetTest, RefusesClaimsThatTheFileCannotHold) {
  ExpectError(Load(IdxHeader({1u << 20, 1u << 10, 1u << 10}) + "x", Labels()).status(), "images",
              ": IDX elements, got extents 1048576 x 1024 x 1024, want no more than the file can "
              "hold, 17 bytes");
  const std::string overflow = IdxHeader(std::vector<uint32_t>(255, 0xFFFFFFFF));
  EXPECT_EQ(Load(overflow, Labels()).status().code(), absl::StatusCode::kInvalidArgument);
  const std::string labels = folder_.Write("labels", Labels());
  const std::string zipped =
      folder_.Write("images.gz", Gzip(IdxHeader({1u << 20, 1u << 20}) + std::string(50, 'x')));
  EXPECT_EQ(IdxDataset::Load({zipped, labels, {}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(IdxDatasetTest, SaysWhichFileIsNotThere) {
  const std::string none = folder_.PathOf("none");
  const std::string labels = folder_.Write("labels", Labels());
  const absl::Status status = IdxDataset::Load({none, labels, {}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find(none), absl::string_view::npos);
}

TEST(IdxRealDataTest, ReadsFashionMnist) {
  const std::string images = RealDataPath("fashion-mnist/train-images-idx3-ubyte.gz");
  if (images.empty()) GTEST_SKIP() << "LOCKSTEP_DATA_DIR is not set";
  const absl::Time begin = absl::Now();
  Loaded dataset = IdxDataset::Load(
      {images, RealDataPath("fashion-mnist/train-labels-idx1-ubyte.gz"), {255.0f, {}, {}}});
  RecordProperty("load_ms", static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - begin)));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->example_count(), 60000);
  EXPECT_EQ((*dataset)->example_shape(), (Shape{28, 28}));
  EXPECT_EQ((*dataset)->class_count(), 10u);
  EXPECT_EQ((*dataset)->images_sha256(),
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84");
  std::vector<int> per_class(10);
  for (int64_t i = 0; i < 60000; ++i) ++per_class[ClassLabel(**dataset, i)];
  EXPECT_EQ(per_class, std::vector<int>(10, 6000));
  std::vector<int64_t> all(60000);
  std::iota(all.begin(), all.end(), 0);
  const Batch batch = GatherBatch(**dataset, all, true);
  double sum = 0;
  for (float value : batch.features.span<float>()) sum += value;
  EXPECT_NEAR(sum / (60000.0 * 784.0), 0.2860, 0.0001);  // the published mean
}

}  // namespace
}  // namespace lockstep::data
