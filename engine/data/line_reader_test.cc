#include "engine/data/line_reader.h"

#include <vector>

#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

std::vector<std::string> Lines(absl::string_view bytes) {
  TestFolder folder;
  const std::string path = folder.Write("text", bytes);
  std::unique_ptr<DataFile> file = *DataFile::Open(path);
  LineReader reader(file.get(), path);
  std::vector<std::string> lines;
  absl::string_view line;
  while (*reader.Next(&line)) {
    lines.emplace_back(line);
    EXPECT_EQ(reader.line_number(), static_cast<int64_t>(lines.size()));
  }
  return lines;
}

using Text = std::vector<std::string>;

TEST(LineReaderTest, CutsAtLineFeedsAndTakesCarriageReturnsOff) {
  EXPECT_EQ(Lines(""), Text{});
  EXPECT_EQ(Lines("\n"), Text{""});
  EXPECT_EQ(Lines("a"), Text{"a"});
  EXPECT_EQ(Lines("a\n"), Text{"a"});
  EXPECT_EQ(Lines("a\r\nb\r\n"), (Text{"a", "b"}));
  EXPECT_EQ(Lines("a\n\nb"), (Text{"a", "", "b"}));
  EXPECT_EQ(Lines("a\rb\r"), Text{"a\rb"});
}

TEST(LineReaderTest, JoinsWhatBlocksCut) {
  Text want;
  std::string bytes;
  for (size_t length : {3, 262142, 262143, 262144, 262145, 700000, 0, 1}) {
    want.push_back(std::string(length, static_cast<char>('a' + want.size())));
    bytes += want.back() + "\n";
  }
  EXPECT_TRUE(Lines(bytes) == want);
}

TEST(LineReaderTest, RefusesALineWithoutEnd) {
  TestFolder folder;
  const std::string path = folder.Write("endless.gz", Gzip(std::string(10'000'000, '0')));
  std::unique_ptr<DataFile> file = *DataFile::Open(path);
  LineReader reader(file.get(), path, 1'000'000);
  absl::string_view line;
  const absl::Status status = reader.Next(&line).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("endless.gz:1:1: line"), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace lockstep::data
