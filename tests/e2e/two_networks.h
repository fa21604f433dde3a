// Two networks of this test's own with one cable between them, which the test can
// cut and slow down: Linux network namespaces joined by a pair of veth devices.
#ifndef LOCKSTEP_TESTS_E2E_TWO_NETWORKS_H_
#define LOCKSTEP_TESTS_E2E_TWO_NETWORKS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace lockstep::tests {

// The calling process, and all that it starts, is in the near network from then on.
// Everything is gone with the process. Threads: the main one, before there are others.
class TwoNetworks {
 public:
  // Where the system or the process's rights do not allow it, reason() says why.
  TwoNetworks();
  ~TwoNetworks();

  // Empty: they are there.
  const std::string& reason() const { return reason_; }
  // Addresses at the cable's ends.
  static constexpr char kNear[] = "10.77.0.1";
  static constexpr char kFar[] = "10.77.0.2";

  // Words before a command that is to run in the far network.
  std::vector<std::string> RunFar() const;

  // Nothing passes until Mend, and nobody is told.
  bool Cut();
  bool Mend();
  // At most so much in each direction; false: the kernel cannot.
  bool Limit(int megabits_per_second);
  void Unlimit();

 private:
  std::string reason_;
  pid_t far_ = -1;  // a process that keeps the far network
};

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_E2E_TWO_NETWORKS_H_
