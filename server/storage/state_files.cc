#include "server/storage/state_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lockstep::server {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(const char* what, const std::string& path, int error) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot ", what, " ", path));
}

absl::Status SyncFolder(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return Failed("open folder", path, errno);
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  // EINVAL: a file system that needs no syncing of folders.
  return error == 0 || error == EINVAL ? absl::OkStatus() : Failed("sync folder", path, error);
}

absl::StatusOr<std::vector<fs::directory_entry>> Entries(const std::string& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    entries.push_back(*entry);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return Failed("list", folder, error.value());
  }
  return entries;
}

}  // namespace

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return absl::OkStatus();
  const std::string parent = fs::path(path).parent_path().string();
  if (!parent.empty() && parent != path) {
    const absl::Status made = MakeFolder(parent);
    if (!made.ok()) return made;
  }
  fs::create_directory(path, error);
  if (error) return Failed("make folder", path, error.value());
  return SyncFolder(parent.empty() ? "." : parent);
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  // O_NONBLOCK: a pipe in the file's place must not hold up the server.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return Failed("open", path, errno);
  struct stat kind = {};
  if (fstat(descriptor, &kind) != 0 || !S_ISREG(kind.st_mode)) {
    close(descriptor);
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": got a folder, pipe or device, want a file"));
  }
  std::string bytes;
  std::error_code ignored;  // the size only saves growing; reading decides
  const std::uintmax_t size = fs::file_size(path, ignored);
  size_t used = 0;
  ssize_t got = 0;
  bytes.resize(ignored ? 4096 : size + 1);  // one more, to see the end
  do {
    if (used == bytes.size()) bytes.resize(2 * bytes.size());
    got = read(descriptor, &bytes[used], bytes.size() - used);
    if (got > 0) used += static_cast<size_t>(got);
  } while (got > 0 || (got < 0 && errno == EINTR));
  const int error = got < 0 ? errno : 0;
  close(descriptor);
  if (error != 0) return Failed("read", path, error);
  bytes.resize(used);
  return bytes;
}

absl::StatusOr<std::vector<std::string>> FileNames(const std::string& folder) {
  const absl::StatusOr<std::vector<fs::directory_entry>> entries = Entries(folder);
  if (!entries.ok()) return entries.status();
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : *entries) {
    std::error_code gone;
    if (entry.is_regular_file(gone)) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status RemoveFile(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return Failed("remove", path, errno);
}

absl::Status SetFileAside(const std::string& path) {
  const std::string aside = path + ".damaged";
  if (rename(path.c_str(), aside.c_str()) == 0) return absl::OkStatus();
  return Failed("rename", path, errno);
}

absl::Status RemoveUnfinishedWrites(const std::string& folder) {
  const absl::StatusOr<std::vector<fs::directory_entry>> entries = Entries(folder);
  if (!entries.ok()) return entries.status();
  for (const fs::directory_entry& entry : *entries) {
    std::error_code gone;
    if (!entry.is_directory(gone)) continue;
    const absl::StatusOr<std::vector<std::string>> names = FileNames(entry.path().string());
    if (!names.ok()) return names.status();
    for (const std::string& name : *names) {
      if (!absl::StrContains(name, ".tmp.")) continue;
      const absl::Status removed = RemoveFile((entry.path() / name).string());
      if (!removed.ok()) return removed;
    }
  }
  return absl::OkStatus();
}

}  // namespace lockstep::server
