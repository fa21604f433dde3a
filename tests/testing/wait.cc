#include "tests/testing/wait.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace lockstep::tests {
namespace {

// Soon at first; later seldom, since to look may mean to run a program.
constexpr absl::Duration kFirstInterval = absl::Milliseconds(5);
constexpr absl::Duration kLongestInterval = absl::Milliseconds(100);

}  // namespace

bool WaitUntil(const std::string& what, const std::function<bool()>& holds) {
  const absl::Time deadline = absl::Now() + kPatience;
  absl::Duration interval = kFirstInterval;
  while (!holds()) {
    if (::testing::Test::HasFailure()) return false;
    if (absl::Now() >= deadline) {
      ADD_FAILURE() << "waited " << kPatience << " in vain for: " << what;
      return false;
    }
    absl::SleepFor(interval);
    interval = std::min(interval * 1.2, kLongestInterval);
  }
  return true;
}

}  // namespace lockstep::tests
