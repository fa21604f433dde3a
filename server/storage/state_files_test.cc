#include "server/storage/state_files.h"

#include <sys/stat.h>

#include <filesystem>

#include "gtest/gtest.h"
#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

TEST(StateFilesTest, MakesMissingParents) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/a/b/c";
  EXPECT_TRUE(MakeFolder(path).ok());
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_TRUE(MakeFolder(path).ok());
  WriteTestFile(folder.path() + "/file", "");
  EXPECT_FALSE(MakeFolder(folder.path() + "/file").ok());
}

TEST(StateFilesTest, ReadsFilesOfAnySize) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  for (const size_t size : {0, 1, 4095, 4096, 4097, 1'000'000}) {
    const std::string bytes(size, 'x');
    WriteTestFile(path, bytes);
    EXPECT_EQ(*ReadWholeFile(path), bytes);
  }
}

TEST(StateFilesTest, ReadsFilesThatDoNotTellTheirSize) {
  EXPECT_GT(ReadWholeFile("/proc/self/status")->size(), 100u);
}

TEST(StateFilesTest, MissingFilesAndFolders) {
  TemporaryFolder folder;
  const std::string none = folder.path() + "/none";
  EXPECT_EQ(ReadWholeFile(none).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(SetFileAside(none).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(RemoveFile(none).ok());
  EXPECT_TRUE(FileNames(none)->empty());
  EXPECT_TRUE(RemoveUnfinishedWrites(none).ok());
}

TEST(StateFilesTest, FileNamesAreSortedAndWithoutFolders) {
  TemporaryFolder folder;
  WriteTestFile(folder.path() + "/b", "");
  WriteTestFile(folder.path() + "/a", "");
  std::filesystem::create_directory(folder.path() + "/c");
  EXPECT_EQ(*FileNames(folder.path()), (std::vector<std::string>{"a", "b"}));
}

TEST(StateFilesTest, APipeOrFolderInAFilesPlaceDoesNotHoldUpTheReader) {
  TemporaryFolder folder;
  const std::string pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(ReadWholeFile(pipe).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadWholeFile(folder.path()).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace lockstep::server
