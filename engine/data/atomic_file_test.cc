#include "engine/data/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>
#include <vector>

#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

using Names = std::vector<std::string>;

TEST(AtomicFileTest, WritesThePiecesAndLeavesNothingElse) {
  TestFolder folder;
  ASSERT_TRUE(WriteFileAtomically(folder.PathOf("file"), {"one ", "", "two"}).ok());
  EXPECT_EQ(ReadTestFile(folder.PathOf("file")), "one two");
  ASSERT_TRUE(WriteFileAtomically(folder.PathOf("file"), {"three"}).ok());
  EXPECT_EQ(ReadTestFile(folder.PathOf("file")), "three");
  ASSERT_TRUE(WriteFileAtomically(folder.PathOf("file"), {}).ok());
  EXPECT_EQ(ReadTestFile(folder.PathOf("file")), "");
  EXPECT_EQ(folder.Names(), Names{"file"});
}

TEST(AtomicFileTest, GivesTheUsualPermissions) {
  TestFolder folder;
  const mode_t mask = umask(022);
  ASSERT_TRUE(WriteFileAtomically(folder.PathOf("file"), {"x"}).ok());
  umask(mask);
  struct stat info;
  ASSERT_EQ(stat(folder.PathOf("file").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
}

TEST(AtomicFileTest, KeepsTheOldFileWhenThereIsNoRoom) {
  TestFolder folder;
  folder.Write("file", "old");
  // A limit on files' sizes takes the same way through the code as a full disk.
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 1000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string large(900, 'x');
  const absl::Status status = WriteFileAtomically(folder.PathOf("file"), {large, large});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_NE(status.message().find(folder.PathOf("file") + ": cannot write its 1800 bytes"),
            absl::string_view::npos)
      << status;
  EXPECT_EQ(ReadTestFile(folder.PathOf("file")), "old");
  EXPECT_EQ(folder.Names(), Names{"file"});
}

TEST(AtomicFileTest, SaysWhyItCannotWrite) {
  TestFolder folder;
  EXPECT_EQ(WriteFileAtomically(folder.PathOf("none/file"), {"x"}).code(),
            absl::StatusCode::kNotFound);
  // A folder in the file's place: the rename fails, and the temporary file goes.
  ASSERT_EQ(mkdir(folder.PathOf("taken").c_str(), 0755), 0);
  folder.Write("taken/inside", "x");
  EXPECT_FALSE(WriteFileAtomically(folder.PathOf("taken"), {"x"}).ok());
  EXPECT_EQ(folder.Names(), Names{"taken"});
}

TEST(AtomicFileTest, PassesByWhatADeadProcessLeft) {
  TestFolder folder;
  folder.Write("file.tmp." + std::to_string(getpid()) + ".0", "left");
  ASSERT_TRUE(WriteFileAtomically(folder.PathOf("file"), {"x"}).ok());
  EXPECT_EQ(ReadTestFile(folder.PathOf("file")), "x");
  EXPECT_EQ(folder.Names().size(), 2u);
}

TEST(AtomicFileTest, NeverMixesTwoWriters) {
  TestFolder folder;
  std::vector<std::thread> writers;
  for (char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&folder, letter] {
      const std::string text(100000, letter);
      for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(WriteFileAtomically(folder.PathOf("file"), {text}).ok());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string text = ReadTestFile(folder.PathOf("file"));
  EXPECT_EQ(text, std::string(100000, text[0]));
  EXPECT_EQ(folder.Names(), Names{"file"});
}

}  // namespace
}  // namespace lockstep::data
