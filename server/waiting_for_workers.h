// Why a job does not go on: what `status` says of the workers that it lacks.
#ifndef LOCKSTEP_SERVER_WAITING_FOR_WORKERS_H_
#define LOCKSTEP_SERVER_WAITING_FOR_WORKERS_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace lockstep::server {

// "since 12:34:56 UTC".
std::string SinceText(absl::Time time);

struct WaitingForWorkers {
  size_t ready = 0;
  size_t needed = 0;
  absl::Time since;
  std::vector<std::string> quarantined;         // names of those that take no part
  size_t preparing = 0;                         // workers that load the data
  std::map<std::string, std::string> refusals;  // why one cannot take part, by name

  // One line.
  std::string Text() const;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_WAITING_FOR_WORKERS_H_
