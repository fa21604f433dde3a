// Tests' folders: made empty, removed with all that is in them.
#ifndef LOCKSTEP_SERVER_STORAGE_TEMPORARY_FOLDER_H_
#define LOCKSTEP_SERVER_STORAGE_TEMPORARY_FOLDER_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace lockstep::server {

class TemporaryFolder {
 public:
  TemporaryFolder() : path_(::testing::TempDir() + "/state-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string ReadTestFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline void WriteTestFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Changes one bit of the byte at `offset`.
inline void FlipBit(const std::string& path, size_t offset) {
  std::string bytes = ReadTestFile(path);
  ASSERT_LT(offset, bytes.size());
  bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
  WriteTestFile(path, bytes);
}

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_TEMPORARY_FOLDER_H_
