#include "server/storage/quarantine_list.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/data/atomic_file.h"
#include "server/storage/state_files.h"

namespace lockstep::server {
namespace {

std::string PathOf(const std::string& state_dir) { return state_dir + "/quarantines"; }

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (absl::ascii_iscntrl(c)) c = ' ';
  }
  return text;
}

}  // namespace

absl::StatusOr<QuarantineList> ReadQuarantines(const std::string& state_dir) {
  const std::string path = PathOf(state_dir);
  const absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (absl::IsNotFound(text.status())) return QuarantineList();
  if (!text.ok()) return text.status();
  QuarantineList list;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    uint32_t pid = 0;
    if (fields.size() != 3 || !absl::SimpleAtoi(fields[1], &pid) || fields[2].empty()) {
      return absl::DataLossError(
          absl::StrCat(path, ":", number, ": got '", absl::CHexEscape(line),
                       "', want host, process number and reason with tabs between"));
    }
    list[{fields[0], pid}] = fields[2];
  }
  return list;
}

absl::Status WriteQuarantines(const std::string& state_dir, const QuarantineList& list) {
  std::string text;
  for (const auto& [process, reason] : list) {
    absl::StrAppend(&text, OneLine(process.first), "\t", process.second, "\t", OneLine(reason),
                    "\n");
  }
  return data::WriteFileAtomically(PathOf(state_dir), {text});
}

}  // namespace lockstep::server
