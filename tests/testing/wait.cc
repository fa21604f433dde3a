#include "tests/testing/wait.h"

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace lockstep::tests {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(10);

}  // namespace

bool WaitUntil(const std::string& what, const std::function<bool()>& holds) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!holds()) {
    if (::testing::Test::HasFailure()) return false;
    if (absl::Now() >= deadline) {
      ADD_FAILURE() << "waited " << kPatience << " in vain for: " << what;
      return false;
    }
    absl::SleepFor(kPollInterval);
  }
  return true;
}

}  // namespace lockstep::tests
