// Waiting for what other processes do: by looking again, never by a fixed time.
#ifndef LOCKSTEP_TESTS_TESTING_WAIT_H_
#define LOCKSTEP_TESTS_TESTING_WAIT_H_

#include <functional>
#include <string>

#include "absl/time/time.h"

namespace lockstep::tests {

// Long beyond need, for machines under load: only a failing test waits for it.
inline constexpr absl::Duration kPatience = absl::Seconds(120);

// Asks `holds` until it is true. After kPatience the test fails, naming `what`;
// one that has failed already does not wait at all. Returns whether it holds.
bool WaitUntil(const std::string& what, const std::function<bool()>& holds);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_TESTING_WAIT_H_
