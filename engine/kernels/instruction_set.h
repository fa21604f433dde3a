// Which SIMD instruction set the kernels use. It changes speed, never bits.
#ifndef LOCKSTEP_ENGINE_KERNELS_INSTRUCTION_SET_H_
#define LOCKSTEP_ENGINE_KERNELS_INSTRUCTION_SET_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lockstep::kernels {

// The sets that this machine and this build have, best first, in lower case:
// of "avx512", "avx2", "sve2", "sve", "neon". Empty: the machine has no fused multiply-add
// and cannot run the canonical arithmetic.
std::vector<std::string> AvailableInstructionSets();

// Lets kernels use no better set than `name`, one of AvailableInstructionSets()
// or "best" (the default). Errors: InvalidArgument, naming the available ones;
// FailedPrecondition where there is none.
// Threads: before any kernel runs, or between kernels (tests).
absl::Status LimitInstructionSet(absl::string_view name);

// The one in use.
std::string ActiveInstructionSet();

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_INSTRUCTION_SET_H_
