#include "client/job_file/job_file_problem.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/data/utf8.h"

namespace lockstep::client {
namespace {

constexpr size_t kMaxQuotedBytes = 60;

// Control characters and broken UTF-8 as \xNN, all else as it is.
std::string OneLine(absl::string_view text) {
  std::string line;
  while (!text.empty()) {
    const size_t length = data::Utf8Length(text);
    const unsigned char first = text[0];
    if (length == 0 || first < 0x20 || first == 0x7f) {
      absl::StrAppendFormat(&line, "\\x%02x", first);
      text.remove_prefix(1);
    } else {
      absl::StrAppend(&line, text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return line;
}

// The longest beginning of at most `bytes` bytes that cuts no character.
absl::string_view Beginning(absl::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

}  // namespace

void SortProblems(std::vector<JobFileProblem>* problems) {
  std::stable_sort(
      problems->begin(), problems->end(),
      [](const JobFileProblem& a, const JobFileProblem& b) { return a.position < b.position; });
}

std::vector<std::string> FormatProblems(absl::string_view file,
                                        const std::vector<JobFileProblem>& problems) {
  std::vector<std::string> lines;
  for (const JobFileProblem& problem : problems) {
    if (lines.size() == kMaxShownProblems) {
      const size_t left = problems.size() - lines.size();
      lines.push_back(
          absl::StrCat(OneLine(file), ": and ", left, " more problem", left == 1 ? "" : "s"));
      break;
    }
    std::string line = OneLine(file);
    if (problem.position.line > 0) {
      absl::StrAppend(&line, ":", problem.position.line, ":", problem.position.column);
    }
    if (!problem.path.empty()) absl::StrAppend(&line, ": ", OneLine(problem.path));
    lines.push_back(absl::StrCat(line, ": ", OneLine(problem.message)));
  }
  return lines;
}

std::string QuotedForMessage(absl::string_view text) {
  const absl::string_view shown = Beginning(text, kMaxQuotedBytes);
  return absl::StrCat("'", OneLine(shown), shown.size() < text.size() ? "..." : "", "'");
}

std::string KeyForPath(absl::string_view key) {
  const std::string quoted = QuotedForMessage(key);
  return key.empty() ? quoted : quoted.substr(1, quoted.size() - 2);
}

}  // namespace lockstep::client
