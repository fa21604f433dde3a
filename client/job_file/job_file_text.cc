#include "client/job_file/job_file_text.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/data/utf8.h"

namespace lockstep::client {
namespace {

absl::Status StatusOfErrno(int error) {
  const std::string reason = std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) {
    return absl::NotFoundError("no such file, want a job file in YAML");
  }
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(reason);
  return absl::UnavailableError(absl::StrCat("cannot be read: ", reason));
}

JobFileProblem ProblemAt(absl::string_view text, size_t offset, std::string message) {
  const absl::string_view before = text.substr(0, offset);
  const size_t newline = before.rfind('\n');
  JobFileProblem problem;
  problem.position.line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  problem.position.column =
      1 + static_cast<int>(newline == absl::string_view::npos ? offset : offset - newline - 1);
  problem.message = std::move(message);
  return problem;
}

bool StartsWithOtherEncoding(absl::string_view text) {
  const absl::string_view start = text.substr(0, 2);
  return start == "\xFF\xFE" || start == "\xFE\xFF";
}

}  // namespace

absl::StatusOr<std::string> ReadJobFileText(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return StatusOfErrno(errno);
  if (S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError("got a folder, want a job file in YAML");
  }
  if (S_ISBLK(info.st_mode) || S_ISSOCK(info.st_mode)) {
    return absl::InvalidArgumentError("got a device or a socket, want a job file in YAML");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return StatusOfErrno(errno == 0 ? EIO : errno);
  // One byte more than allowed, to tell a full file from one too long. Reading
  // instead of asking for the size also works for pipes such as /dev/stdin.
  std::string text(kMaxJobFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return StatusOfErrno(errno == 0 ? EIO : errno);
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxJobFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("got more than ", kMaxJobFileBytes, " bytes, want a job file in YAML"));
  }
  return text;
}

std::optional<JobFileProblem> CheckJobFileText(absl::string_view text) {
  if (StartsWithOtherEncoding(text)) return ProblemAt(text, 0, "got UTF-16 text, want UTF-8");
  for (size_t i = 0; i < text.size();) {
    const unsigned char byte = text[i];
    const size_t length = data::Utf8Length(text.substr(i));
    if (length == 0) {
      return ProblemAt(text, i, absl::StrFormat("got byte 0x%02x, want UTF-8 text", byte));
    }
    if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f) {
      return ProblemAt(text, i,
                       absl::StrFormat("got control character 0x%02x, want UTF-8 text", byte));
    }
    i += length;
  }
  return std::nullopt;
}

}  // namespace lockstep::client
