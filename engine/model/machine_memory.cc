#include "engine/model/machine_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lockstep {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

// The file's only number; nothing for "max" or a missing file.
std::optional<uint64_t> NumberIn(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  uint64_t number = 0;
  if (!(file >> text) || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

// A line of /proc/meminfo such as "MemTotal:  16384 kB", in bytes.
uint64_t MeminfoBytes(const std::string& root, absl::string_view key) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name, unit;
  uint64_t number = 0;
  while (file >> name >> number && std::getline(file, unit)) {
    if (name == key) return number << 10;
  }
  return kUnlimited;
}

// Lowers `memory` to a control group's limit.
void Limit(const std::string& limit_path, const std::string& used_path, MachineMemory* memory) {
  const std::optional<uint64_t> limit = NumberIn(limit_path);
  if (!limit.has_value()) return;
  const uint64_t used = std::min(NumberIn(used_path).value_or(0), *limit);
  memory->total_bytes = std::min(memory->total_bytes, *limit);
  memory->available_bytes = std::min(memory->available_bytes, *limit - used);
}

}  // namespace

MachineMemory ReadMachineMemory(const std::string& root) {
  MachineMemory memory{MeminfoBytes(root, "MemTotal:"), MeminfoBytes(root, "MemAvailable:")};
  // A container sees its own group at the top.
  const std::string groups = root + "/sys/fs/cgroup";
  Limit(groups + "/memory.max", groups + "/memory.current", &memory);
  Limit(groups + "/memory/memory.limit_in_bytes", groups + "/memory/memory.usage_in_bytes",
        &memory);
  return memory;
}

absl::Status CheckFitsMemory(absl::string_view what, uint64_t wanted_bytes, uint64_t bytes) {
  if (wanted_bytes <= bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(what, " needs ", wanted_bytes >> 20,
                                                   " MiB of memory, this machine has ", bytes >> 20,
                                                   " MiB"));
}

}  // namespace lockstep
