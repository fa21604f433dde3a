#include "engine/data/text_dataset.h"

#include <cmath>

#include "engine/data/sha256.h"
#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

using Tokens = std::vector<int64_t>;

class TextDatasetTest : public ::testing::Test {
 protected:
  TextOptions Options(absl::string_view text, int64_t context, int64_t stride) {
    TextOptions options;
    options.path = folder_.Write("text.txt", text);
    options.context = context;
    options.stride = stride;
    return options;
  }
  static Tokens Features(const TextDataset& dataset, int64_t example) {
    Tokens tokens(dataset.example_shape().dim(0));
    dataset.CopyTokens(example, tokens.data());
    return tokens;
  }
  static Tokens Labels(const TextDataset& dataset, int64_t example) {
    Tokens tokens(dataset.label_shape().dim(0));
    dataset.CopyClassLabels(example, tokens.data());
    return tokens;
  }
  static void ExpectError(const TextOptions& options, const std::string& text) {
    const absl::Status status = TextDataset::Load(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find(text), absl::string_view::npos) << status;
  }

  TestFolder folder_;
};

TEST_F(TextDatasetTest, AWindowsLabelsAreItsTokensOneFurtherOn) {
  const auto dataset = TextDataset::Load(Options("bca abca", 3, 3));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->vocabulary()->characters(), " abc");
  EXPECT_EQ((*dataset)->class_count(), 4u);
  EXPECT_EQ((*dataset)->example_count(), 2);
  EXPECT_EQ(Features(**dataset, 1), (Tokens{0, 1, 2}));
  EXPECT_EQ(Labels(**dataset, 1), (Tokens{1, 2, 3}));
  const Batch batch = GatherBatch(**dataset, {1, 0}, true);
  EXPECT_EQ(batch.features.ToString(), "tensor([[0, 1, 2], [2, 3, 1]])");
  EXPECT_EQ(batch.labels.ToString(), "tensor([[1, 2, 3], [3, 1, 0]])");
  EXPECT_EQ((*dataset)->sha256(), *FileSha256(folder_.PathOf("text.txt")));
}

TEST_F(TextDatasetTest, WindowsMayOverlapOrLeaveTokensOut) {
  EXPECT_EQ((*TextDataset::Load(Options("abcdefgh", 3, 1)))->example_count(), 5);
  const auto sparse = TextDataset::Load(Options("abcdefgh", 2, 5));
  EXPECT_EQ((*sparse)->example_count(), 2);
  EXPECT_EQ(Features(**sparse, 1), (Tokens{5, 6}));
  EXPECT_EQ(Labels(**sparse, 1), (Tokens{6, 7}));
}

TEST_F(TextDatasetTest, APartKeepsTheWholeFilesVocabulary) {
  TextOptions options = Options("zyxwabcdef", 2, 2);
  options.from = 0.4;
  const auto part = TextDataset::Load(options);
  EXPECT_EQ((*part)->class_count(), 10u);
  EXPECT_EQ((*part)->example_count(), 2);
  EXPECT_EQ(Features(**part, 0), (Tokens{0, 1}));
  options.from = 0;
  options.to = 0.3;
  EXPECT_EQ(Labels(**TextDataset::Load(options), 0), (Tokens{8, 7}));
}

TEST_F(TextDatasetTest, CharactersAreCodePointsAndBytesAreBytes) {
  const std::string text = "\xE2\x82\xAC\xC3\xA9z\xF0\x9F\x98\x80";
  EXPECT_EQ((*TextDataset::Load(Options(text, 2, 1)))->vocabulary()->characters(),
            "z\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  TextOptions options = Options(text, 9, 1);
  options.tokens = TextTokens::kBytes;
  const auto bytes = TextDataset::Load(options);
  EXPECT_EQ((*bytes)->class_count(), 256u);
  EXPECT_EQ(Features(**bytes, 0)[0], 0xE2);
  EXPECT_EQ((*bytes)->vocabulary()->Text(0xE2), "\xE2");
}

TEST_F(TextDatasetTest, ReadsGzip) {
  TextOptions options = Options("", 2, 1);
  options.path = folder_.Write("text.txt.gz", Gzip("hello"));
  EXPECT_EQ((*TextDataset::Load(options))->vocabulary()->characters(), "ehlo");
}

TEST_F(TextDatasetTest, RefusesWhatIsNoText) {
  ExpectError(Options("ab\nc\xFF"
                      "d",
                      1, 1),
              "text.txt:2:2: text, got the byte 0xff, want UTF-8 (or `tokens: bytes`)");
  ExpectError(Options("", 1, 1), "distinct characters, got 0, want 1 to 65536");
  ExpectError(Options("abc", 3, 1), "got 3, want at least context + 1 = 4");
  TextOptions options = Options("abc", 1, 1);
  options.from = 0.5;
  options.to = 0.5;
  ExpectError(options, "got the part from 0.5 to 0.5, want 0 <= from < to <= 1");
  EXPECT_TRUE(absl::IsNotFound(TextDataset::Load({folder_.PathOf("no"), {}, 1, 1}).status()));
}

TEST_F(TextDatasetTest, ValidationTextKeepsToTheTrainingVocabulary) {
  const auto training = TextDataset::Load(Options("abc\n", 2, 1));
  TextOptions options = Options("", 2, 1);
  options.path = folder_.Write("v.txt", "cba");
  const auto same = TextDataset::Load(options, (*training)->shared_vocabulary());
  EXPECT_EQ(Features(**same, 0), (Tokens{3, 2}));
  options.path = folder_.Write("v.txt", "ab\nad");
  EXPECT_EQ(TextDataset::Load(options, (*training)->shared_vocabulary()).status().message(),
            options.path + ":2:2: character, got \"d\", want one of the 4 of the training text");
}

TEST_F(TextDatasetTest, TinyShakespeare) {
  const std::string path = RealDataPath("tinyshakespeare/input.txt");
  if (path.empty()) GTEST_SKIP() << "LOCKSTEP_DATA_DIR is not set";
  TextOptions options;
  options.path = path;
  options.context = options.stride = 128;
  options.to = 0.9;
  const auto dataset = TextDataset::Load(options);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->class_count(), 65u);
  EXPECT_EQ((*dataset)->example_count(), 7842);
  EXPECT_EQ((*dataset)->vocabulary()->Text(Features(**dataset, 0)[0]), "F");
}

}  // namespace
}  // namespace lockstep::data
