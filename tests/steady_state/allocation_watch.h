// Watches every call of malloc and its relatives in this process, on all of its
// threads: the library that defines them for the program that links it.
// (operator new, the standard containers and OpenMP end there too.)
#ifndef LOCKSTEP_TESTS_STEADY_STATE_ALLOCATION_WATCH_H_
#define LOCKSTEP_TESTS_STEADY_STATE_ALLOCATION_WATCH_H_

#include <cstdint>
#include <functional>
#include <string>

namespace lockstep::tests {

// Calls while `run` ran: malloc, calloc, realloc, aligned_alloc, memalign and
// posix_memalign; giving memory back is not counted.
struct Allocations {
  int64_t calls = 0;
  // The call stacks, each once with its number of calls, in the order of their
  // first: at most 64. Empty where there were none.
  std::string stacks;
};

// False in a program that a sanitizer was built into: it has a malloc of its own.
bool CanWatchAllocations();

// Requires: CanWatchAllocations(); one call at a time.
Allocations WatchAllocations(const std::function<void()>& run);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_STEADY_STATE_ALLOCATION_WATCH_H_
