#include "engine/data/data_file.h"

#include <sys/stat.h>

#include <algorithm>

#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

// Bytes that do not compress to nothing, several blocks of them.
std::string Bytes(size_t count) {
  std::string bytes;
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223;
    bytes.push_back(static_cast<char>(state >> 24));
  }
  return bytes;
}

absl::StatusOr<std::string> ReadAll(const std::string& path, size_t piece) {
  absl::StatusOr<std::unique_ptr<DataFile>> file = DataFile::Open(path);
  if (!file.ok()) return file.status();
  std::string all;
  std::string buffer(piece, '\0');
  while (true) {
    absl::StatusOr<size_t> count = (*file)->Read(buffer.data(), piece);
    if (!count.ok()) return count.status();
    all.append(buffer, 0, *count);
    if (*count < piece) break;
  }
  EXPECT_LE(all.size(), (*file)->most_bytes());
  EXPECT_EQ(*(*file)->FinishSha256(), Sha256Hex(ReadTestFile(path)));
  return all;
}

TEST(DataFileTest, GivesPlainAndGzippedBytesInAnyPieces) {
  TestFolder folder;
  const std::string bytes = Bytes(700001);
  const std::string plain = folder.Write("plain", bytes);
  const std::string zipped = folder.Write("zipped.gz", Gzip(bytes));
  for (size_t piece : {999, 262144, 700001, 1000000}) {
    EXPECT_TRUE(*ReadAll(plain, piece) == bytes) << piece;
    EXPECT_TRUE(*ReadAll(zipped, piece) == bytes) << piece;
  }
}

TEST(DataFileTest, ReadsEmptyFilesAndEmptyGzip) {
  TestFolder folder;
  EXPECT_EQ(*ReadAll(folder.Write("plain", ""), 10), "");
  EXPECT_EQ(*ReadAll(folder.Write("zipped.gz", Gzip("")), 10), "");
  EXPECT_EQ(ReadAll(folder.Write("nothing.gz", ""), 10).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(DataFileTest, JoinsGzipMembers) {
  TestFolder folder;
  EXPECT_EQ(*ReadAll(folder.Write("two.gz", Gzip("one,") + Gzip("two")), 2), "one,two");
}

TEST(DataFileTest, GivesTheWholeDigestHoweverLittleWasRead) {
  TestFolder folder;
  for (const std::string name : {"plain", "zipped.gz"}) {
    const std::string path = folder.Write(name, Gzip(Bytes(700001)));
    std::unique_ptr<DataFile> file = *DataFile::Open(path);
    char byte;
    ASSERT_EQ(*file->Read(&byte, 1), 1u);
    EXPECT_EQ(*file->FinishSha256(), Sha256Hex(ReadTestFile(path)));
  }
}

TEST(DataFileTest, BoundsWhatGzipCanHold) {
  TestFolder folder;
  const std::string zeros(5000000, '\0');  // as dense as deflate gets
  EXPECT_TRUE(*ReadAll(folder.Write("zeros.gz", Gzip(zeros)), 1 << 20) == zeros);
}

TEST(DataFileTest, RefusesDamagedGzip) {
  TestFolder folder;
  const std::string good = Gzip(Bytes(5000));
  for (size_t length = 0; length < good.size(); length += 97) {
    const absl::Status status =
        ReadAll(folder.Write("cut.gz", good.substr(0, length)), 4096).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << length << " " << status;
  }
  for (size_t place : {0, 1, 2, 2000, 5000}) {
    std::string bad = good;
    bad[place] = static_cast<char>(bad[place] ^ 0x55);
    EXPECT_EQ(ReadAll(folder.Write("bad.gz", bad), 4096).status().code(),
              absl::StatusCode::kDataLoss)
        << place;
  }
  std::string wrong_sum = good;
  wrong_sum[good.size() - 6] = static_cast<char>(wrong_sum[good.size() - 6] ^ 1);
  EXPECT_EQ(ReadAll(folder.Write("sum.gz", wrong_sum), 4096).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadAll(folder.Write("more.gz", good + "junk"), 4096).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReadAll(folder.Write("text.gz", "1,2,3\n"), 4096).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(DataFileTest, RefusesWhatIsNotAFileWithoutWaitingForIt) {
  TestFolder folder;
  EXPECT_EQ(DataFile::Open(folder.PathOf("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DataFile::Open(folder.path()).status().code(), absl::StatusCode::kInvalidArgument);
  const std::string pipe = folder.PathOf("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(DataFile::Open(pipe).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace lockstep::data
