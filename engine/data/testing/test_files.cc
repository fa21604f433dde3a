#include "engine/data/testing/test_files.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/check.h"
#include "gtest/gtest.h"

namespace lockstep::data {

TestFolder::TestFolder() : path_(::testing::TempDir() + "/lockstep-XXXXXX") {
  LOCKSTEP_CHECK(mkdtemp(path_.data()) != nullptr, path_);
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestFolder::Write(const std::string& name, absl::string_view bytes) const {
  const std::string path = PathOf(name);
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  LOCKSTEP_CHECK(file.good(), path);
  return path;
}

std::vector<std::string> TestFolder::Names() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Gzip(absl::string_view bytes) {
  z_stream stream;
  std::memset(&stream, 0, sizeof(stream));
  LOCKSTEP_CHECK_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  LOCKSTEP_CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string IdxHeader(const std::vector<uint32_t>& extents) {
  std::string header = {0, 0, 8, static_cast<char>(extents.size())};
  for (uint32_t extent : extents) {
    for (int shift = 24; shift >= 0; shift -= 8)
      header.push_back(static_cast<char>(extent >> shift));
  }
  return header;
}

std::string ReadTestFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  LOCKSTEP_CHECK(file.good(), path);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::string RealDataPath(const std::string& name) {
  const char* folder = std::getenv("LOCKSTEP_DATA_DIR");
  if (folder == nullptr || *folder == '\0') return "";
  return std::string(folder) + "/" + name;
}

}  // namespace lockstep::data
