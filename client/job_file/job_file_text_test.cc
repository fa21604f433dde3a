#include "client/job_file/job_file_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace lockstep::client {
namespace {

using ::testing::HasSubstr;

std::string TempFile(const std::string& name, const std::string& contents) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

TEST(ReadJobFileTextTest, ReadsAFile) {
  const auto text = ReadJobFileText(TempFile("read.yaml", "a: 1\n"));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "a: 1\n");
}

TEST(ReadJobFileTextTest, RefusesAMissingFile) {
  const auto text = ReadJobFileText(testing::TempDir() + "/missing.yaml");
  EXPECT_EQ(text.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(text.status().message(), "no such file, want a job file in YAML");
}

TEST(ReadJobFileTextTest, RefusesAFolder) {
  const auto text = ReadJobFileText(testing::TempDir());
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(text.status().message(), "got a folder, want a job file in YAML");
}

TEST(ReadJobFileTextTest, RefusesAFileThatIsTooLong) {
  EXPECT_TRUE(ReadJobFileText(TempFile("full", std::string(kMaxJobFileBytes, ' '))).ok());
  const auto text = ReadJobFileText(TempFile("long", std::string(kMaxJobFileBytes + 1, ' ')));
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(text.status().message()), HasSubstr("got more than 1048576 bytes"));
}

std::string Problem(absl::string_view text) {
  const std::optional<JobFileProblem> problem = CheckJobFileText(text);
  return problem ? FormatProblems("f", {*problem})[0] : "";
}

TEST(CheckJobFileTextTest, AcceptsUtf8) {
  EXPECT_EQ(Problem(""), "");
  EXPECT_EQ(Problem("a: é\r\n\tb: \U0001F600\n"), "");
  EXPECT_EQ(Problem("\xEF\xBB\xBF"
                    "a: 1"),
            "")
      << "UTF-8's own byte order mark";
}

TEST(CheckJobFileTextTest, PointsAtTheFirstBadByte) {
  EXPECT_EQ(Problem(absl::string_view("a: 1\nbc\0", 8)),
            "f:2:3: got control character 0x00, want UTF-8 text");
  EXPECT_EQ(Problem("a: \xff"), "f:1:4: got byte 0xff, want UTF-8 text");
  EXPECT_EQ(Problem("a\x1b"), "f:1:2: got control character 0x1b, want UTF-8 text");
  EXPECT_EQ(Problem("\xFF\xFE"
                    "a"),
            "f:1:1: got UTF-16 text, want UTF-8");
}

}  // namespace
}  // namespace lockstep::client
