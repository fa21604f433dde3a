// Files for tests to read: a folder that goes with the test, gzip, IDX.
#ifndef LOCKSTEP_ENGINE_DATA_TESTING_TEST_FILES_H_
#define LOCKSTEP_ENGINE_DATA_TESTING_TEST_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockstep::data {

// An empty folder, removed with all that is in it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string PathOf(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file and gives its path.
  std::string Write(const std::string& name, absl::string_view bytes) const;
  // The names of the files in it, sorted.
  std::vector<std::string> Names() const;

 private:
  std::string path_;
};

// As the program gzip would write them.
std::string Gzip(absl::string_view bytes);

// An IDX header of unsigned bytes.
std::string IdxHeader(const std::vector<uint32_t>& extents);

// The whole file; aborts where it cannot be read.
std::string ReadTestFile(const std::string& path);

// "$LOCKSTEP_DATA_DIR/name"; empty where the variable is not set: skip the test.
std::string RealDataPath(const std::string& name);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_TESTING_TEST_FILES_H_
