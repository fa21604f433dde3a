// For the first line of a program's main.
#ifndef LOCKSTEP_ENGINE_STANDARD_STREAMS_H_
#define LOCKSTEP_ENGINE_STANDARD_STREAMS_H_

#include <fcntl.h>
#include <unistd.h>

namespace lockstep {

// Opens /dev/null in place of the standard streams that the caller closed. A
// file opened later would get their numbers, and messages would go into it.
inline void OpenStandardStreams() {
  int descriptor;
  do {
    descriptor = open("/dev/null", O_RDWR);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) close(descriptor);
}

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_STANDARD_STREAMS_H_
