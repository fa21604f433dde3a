#include "server/storage/quarantine_list.h"

#include <utility>
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

// Adds a line's process; false where it is no such line.
bool AddLine(absl::string_view line, QuarantineList* list) {
  std::vector<std::string> fields = absl::StrSplit(line, '\t');
  if (fields.size() == 3) {  // of an earlier version
    fields.insert(fields.begin(), {absl::StrCat(fields[0], ":", fields[1]), ""});
  }
  QuarantinedProcess process;
  if (fields.size() != 5 || fields[0].empty() || !absl::SimpleAtoi(fields[3], &process.pid) ||
      fields[4].empty()) {
    return false;
  }
  process.name = std::move(fields[1]);
  process.host = std::move(fields[2]);
  process.reason = std::move(fields[4]);
  (*list)[fields[0]] = std::move(process);
  return true;
}

}  // namespace

std::string InstanceKey(absl::string_view instance, absl::string_view host, uint32_t pid) {
  return instance.empty() ? absl::StrCat(host, ":", pid) : absl::BytesToHexString(instance);
}

absl::StatusOr<QuarantineList> ReadQuarantines(const std::string& state_dir) {
  const std::string path = PathOf(state_dir);
  const absl::StatusOr<std::string> text = ReadWholeFile(path);
  if (absl::IsNotFound(text.status())) return QuarantineList();
  if (!text.ok()) return text.status();
  QuarantineList list;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    if (line.empty() || AddLine(line, &list)) continue;
    return absl::DataLossError(
        absl::StrCat(path, ":", number, ": got '", absl::CHexEscape(line),
                     "', want instance, name, host, process number and reason with tabs between"));
  }
  return list;
}

absl::Status WriteQuarantines(const std::string& state_dir, const QuarantineList& list) {
  std::string text;
  for (const auto& [key, process] : list) {
    absl::StrAppend(&text, OneLine(key), "\t", OneLine(process.name), "\t", OneLine(process.host),
                    "\t", process.pid, "\t", OneLine(process.reason), "\n");
  }
  return data::WriteFileAtomically(PathOf(state_dir), {text});
}

}  // namespace lockstep::server
