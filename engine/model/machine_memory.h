// How much memory this machine, or the container that the process runs in,
// has: so that a job that cannot fit is refused before the kernel kills somebody.
#ifndef LOCKSTEP_ENGINE_MODEL_MACHINE_MEMORY_H_
#define LOCKSTEP_ENGINE_MODEL_MACHINE_MEMORY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lockstep {

struct MachineMemory {
  uint64_t total_bytes = 0;
  uint64_t available_bytes = 0;  // what can be taken now without swapping
};

// The lesser of what /proc/meminfo and the control group (version 2 or 1) say.
// What cannot be read does not limit. `root` is put before all paths.
MachineMemory ReadMachineMemory(const std::string& root = "");

// ResourceExhausted, with both numbers, where `wanted_bytes` exceed `bytes`.
// `what` begins the message.
absl::Status CheckFitsMemory(absl::string_view what, uint64_t wanted_bytes, uint64_t bytes);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_MACHINE_MEMORY_H_
