// Abseil's check that all threads take mutexes in one order.
#ifndef LOCKSTEP_ENGINE_LOCK_ORDER_CHECKS_H_
#define LOCKSTEP_ENGINE_LOCK_ORDER_CHECKS_H_

#include "absl/synchronization/mutex.h"

namespace lockstep {

// Turns it off: for programs at work. Debian's build of Abseil has it on, with a
// graph of all mutexes of the process (gRPC's too) under one lock, which on a
// server with many workers takes longer than all it does itself. Tests keep it.
inline void SkipLockOrderChecks() {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_LOCK_ORDER_CHECKS_H_
