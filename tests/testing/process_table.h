// Which processes there are, by /proc.
#ifndef LOCKSTEP_TESTS_TESTING_PROCESS_TABLE_H_
#define LOCKSTEP_TESTS_TESTING_PROCESS_TABLE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::tests {

// A process for good: its number may be given out again, its start time not.
struct ProcessIdentity {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  std::string name;  // of its program, at most 15 characters
};

// The living children of `parent`, by number.
std::vector<ProcessIdentity> ChildrenOf(pid_t parent);

// Whether it still runs; one that has ended but was not waited for does not.
bool IsAlive(const ProcessIdentity& process);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_PROCESS_TABLE_H_
