#include "tests/testing/process_table.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lockstep::tests {
namespace {

struct ProcessState {
  ProcessIdentity identity;
  char state = '?';
  pid_t parent = 0;
};

// proc(5): "PID (NAME) STATE PARENT ...", the start time is the 22nd field.
std::optional<ProcessState> ReadState(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text;
  // Whole, without an exception where the process ends while it is read.
  std::getline(file, text, '\0');
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields =
      absl::StrSplit(text.substr(close + 1), ' ', absl::SkipEmpty());
  ProcessState state;
  state.identity.pid = pid;
  state.identity.name = text.substr(open + 1, close - open - 1);
  if (fields.size() < 20 || !absl::SimpleAtoi(fields[1], &state.parent) ||
      !absl::SimpleAtoi(fields[19], &state.identity.start_ticks)) {
    return std::nullopt;
  }
  state.state = fields[0][0];
  return state;
}

bool Runs(const ProcessState& state) { return state.state != 'Z' && state.state != 'X'; }

}  // namespace

std::vector<ProcessIdentity> ChildrenOf(pid_t parent) {
  std::vector<ProcessIdentity> children;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc", error), end; !error && at != end;
       at.increment(error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(at->path().filename().string(), &pid)) continue;
    const std::optional<ProcessState> state = ReadState(pid);
    if (state.has_value() && state->parent == parent && Runs(*state)) {
      children.push_back(state->identity);
    }
  }
  std::sort(children.begin(), children.end(),
            [](const auto& a, const auto& b) { return a.pid < b.pid; });
  return children;
}

bool IsAlive(const ProcessIdentity& process) {
  const std::optional<ProcessState> state = ReadState(process.pid);
  return state.has_value() && state->identity.start_ticks == process.start_ticks && Runs(*state);
}

}  // namespace lockstep::tests
