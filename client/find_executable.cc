#include "client/find_executable.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lockstep::client {
namespace {

bool IsExecutable(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

absl::StatusOr<std::string> FindExecutable(const std::string& name, const std::string& sibling,
                                           const std::string& executable_folder,
                                           const std::string& search_path) {
  std::vector<std::string> places;
  if (!executable_folder.empty()) {
    places = {executable_folder, absl::StrCat(executable_folder, "/../", sibling)};
  }
  // An empty entry of PATH means the current folder: not where programs come from.
  for (absl::string_view folder : absl::StrSplit(search_path, ':', absl::SkipEmpty())) {
    places.emplace_back(folder);
  }
  for (const std::string& place : places) {
    std::string path = absl::StrCat(place, "/", name);
    if (IsExecutable(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat("cannot find ", name, ": looked in ", executable_folder,
                                          ", ", executable_folder, "/../", sibling, " and PATH"));
}

}  // namespace lockstep::client
