#include "tests/testing/logged_folder.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/child_process.h"
#include "gtest/gtest.h"

namespace lockstep::tests {
namespace {

namespace fs = std::filesystem;

constexpr int kLinesShown = 40;

bool IsLog(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".log" || ending == ".out" || ending == ".err";
}

}  // namespace

LoggedFolder::~LoggedFolder() {
  if (::testing::Test::HasFailure()) std::cerr << Logs() << std::flush;
}

std::string LoggedFolder::Logs() const {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::recursive_directory_iterator at(path(), error), end; !error && at != end;
       at.increment(error)) {
    if (IsLog(at->path())) paths.push_back(at->path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::string text;
  for (const std::string& log : paths) {
    const std::string lines = client::LastLines(log, kLinesShown);
    absl::StrAppend(&text, "---- ", log.substr(path().size() + 1), lines.empty() ? " (empty)" : "",
                    "\n", lines);
  }
  return text;
}

}  // namespace lockstep::tests
