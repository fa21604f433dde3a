#include "client/atomic_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace lockstep::client {
namespace {

std::string NewFolder() {
  std::string folder = testing::TempDir() + "/atomic-XXXXXX";
  return mkdtemp(folder.data());
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int FilesIn(const std::string& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

TEST(AtomicFileTest, AppearsAtCommit) {
  const std::string folder = NewFolder();
  const std::string path = folder + "/model";
  auto file = AtomicFile::Create(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->Write("ab").ok());
  EXPECT_TRUE(file->Write("c").ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(file->Commit().ok());
  EXPECT_EQ(Contents(path), "abc");
  EXPECT_EQ(FilesIn(folder), 1);
}

TEST(AtomicFileTest, LeavesTheOldFileWithoutCommit) {
  const std::string folder = NewFolder();
  const std::string path = folder + "/model";
  std::ofstream(path) << "old";
  {
    auto file = AtomicFile::Create(path);
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE(file->Write("new").ok());
  }
  EXPECT_EQ(Contents(path), "old");
  EXPECT_EQ(FilesIn(folder), 1);
}

TEST(AtomicFileTest, NamesWhyItCannotBeCreated) {
  EXPECT_TRUE(absl::IsNotFound(AtomicFile::Create("/nonexistent/model").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(AtomicFile::Create(NewFolder()).status()));
  // Renaming over a device would replace it.
  EXPECT_TRUE(absl::IsInvalidArgument(AtomicFile::Create("/dev/null").status()));
}

TEST(AtomicFileTest, ReportsAFullDiskAndLeavesNothing) {
  const std::string folder = NewFolder();
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  // The nearest to a full disk that needs no rights: files of 1 KiB at most.
  const struct rlimit small = {1024, before.rlim_max};
  {
    auto file = AtomicFile::Create(folder + "/model");
    ASSERT_TRUE(file.ok());
    setrlimit(RLIMIT_FSIZE, &small);
    const absl::Status status = file->Write(std::string(4096, 'x'));
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
  EXPECT_EQ(FilesIn(folder), 0);
}

}  // namespace
}  // namespace lockstep::client
