// Whether a reader that finds nothing spins a little before it sleeps.
//
// Deliberately has no clock: what a spin has brought is all that counts.
#ifndef LOCKSTEP_PROTO_SHARED_MEMORY_SPIN_POLICY_H_
#define LOCKSTEP_PROTO_SHARED_MEMORY_SPIN_POLICY_H_

#include <algorithm>

namespace lockstep {

// A spin that finds something saves a wake-up. One that finds nothing has cost its
// whole time, and more than that where the core is also that of the writer, or of a
// thread that the writer waits for: those stand still meanwhile, whatever the
// spinning thread yields (Linux lets a thread that has slept before those that have
// not). So a spin in vain is followed by waits without one, twice as many each
// time, until a long run of spins has found something.
//
// Threads: one.
class SpinPolicy {
 public:
  // Whether the wait that begins should spin. Once per wait.
  bool NextSpins() {
    if (sleeps_left_ == 0) return true;
    --sleeps_left_;
    return false;
  }

  // What the spin brought.
  void SpinEnded(bool found) {
    if (found) {
      if (++found_in_a_row_ >= kTrustedRun) sleeps_ = 0;
      return;
    }
    found_in_a_row_ = 0;
    sleeps_ = std::clamp(2 * sleeps_, kLeastSleeps, kMostSleeps);
    sleeps_left_ = sleeps_;
  }

 private:
  static constexpr int kLeastSleeps = 8;
  static constexpr int kMostSleeps = 1024;
  // Longer than a burst, the chunks of one layer that come one behind the other.
  static constexpr int kTrustedRun = 64;

  int found_in_a_row_ = 0;
  int sleeps_ = 0;       // after the last spin in vain
  int sleeps_left_ = 0;  // of these
};

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_SHARED_MEMORY_SPIN_POLICY_H_
