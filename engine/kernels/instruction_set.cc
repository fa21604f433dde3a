#include "engine/kernels/instruction_set.h"

#include "engine/kernels/highway_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/instruction_set.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Compiled once per target: tells which one a dispatched call reaches.
int64_t ReachedTarget() { return HWY_TARGET; }

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep::kernels {
HWY_EXPORT(ReachedTarget);
namespace {

struct NamedTarget {
  const char* name;
  int64_t target;
};

// Best first. Only these have a fused multiply-add.
constexpr NamedTarget kTargets[] = {
    {"avx512", HWY_AVX3}, {"avx2", HWY_AVX2}, {"sve2", HWY_SVE2},
    {"sve", HWY_SVE},     {"neon", HWY_NEON},
};

// What the machine has and this build compiled, whatever limit is set. Highway
// answers with the limit, so it is asked once, before the first one.
int64_t MachineTargets() {
  static const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets;
}

// Highway keeps its choice in one process-wide mask, filled by the first
// dispatched call from SupportedTargets(); it has to be filled anew.
void Use(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

std::vector<std::string> AvailableInstructionSets() {
  std::vector<std::string> names;
  for (const NamedTarget& set : kTargets) {
    if (MachineTargets() & set.target) names.emplace_back(set.name);
  }
  return names;
}

absl::Status LimitInstructionSet(absl::string_view name) {
  const std::vector<std::string> available = AvailableInstructionSets();
  if (available.empty()) {
    return absl::FailedPreconditionError(
        "instruction set: the machine has no fused multiply-add, want avx2, avx512, neon or sve");
  }
  if (name == "best") {
    Use(MachineTargets());
    return absl::OkStatus();
  }
  int64_t allowed = 0;
  bool found = false;
  for (const NamedTarget& set : kTargets) {
    if (!(MachineTargets() & set.target)) continue;
    found = found || name == set.name;
    if (found) allowed |= set.target;
  }
  if (!found) {
    return absl::InvalidArgumentError(absl::StrCat(
        "instruction set: got \"", name, "\", want one of best, ", absl::StrJoin(available, ", ")));
  }
  Use(allowed);
  return absl::OkStatus();
}

std::string ActiveInstructionSet() {
  const int64_t reached = HWY_DYNAMIC_DISPATCH(ReachedTarget)();
  for (const NamedTarget& set : kTargets) {
    if (reached == set.target) return set.name;
  }
  return "none";
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
