// Stops the process when the program itself is wrong. What the outside can
// cause is an absl::Status, never a check.
#ifndef LOCKSTEP_ENGINE_CHECK_H_
#define LOCKSTEP_ENGINE_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace lockstep::internal {

[[noreturn]] inline void CheckFailed(const char* file, int line, const std::string& text) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, text.c_str());
  std::abort();
}

template <typename A, typename B>
std::string BothValues(const char* expression, const A& a, const B& b) {
  std::ostringstream text;
  text << expression << " (" << a << " against " << b << ")";
  return text.str();
}

}  // namespace lockstep::internal

// Aborts with `text` unless `condition` holds; in every build.
#define LOCKSTEP_CHECK(condition, text)                                                      \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      ::lockstep::internal::CheckFailed(__FILE__, __LINE__,                                  \
                                        std::string(#condition) + ": " + std::string(text)); \
    }                                                                                        \
  } while (false)

// Aborts with both values unless they are equal.
#define LOCKSTEP_CHECK_EQ(a, b)                                                                    \
  do {                                                                                             \
    if (!((a) == (b))) {                                                                           \
      ::lockstep::internal::CheckFailed(__FILE__, __LINE__,                                        \
                                        ::lockstep::internal::BothValues(#a " == " #b, (a), (b))); \
    }                                                                                              \
  } while (false)

#endif  // LOCKSTEP_ENGINE_CHECK_H_
