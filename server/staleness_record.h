// How old the parameters were that a job's updates were computed from, where
// shards do not wait for each other: for people, and to show that a bound holds.
#ifndef LOCKSTEP_SERVER_STALENESS_RECORD_H_
#define LOCKSTEP_SERVER_STALENESS_RECORD_H_

#include <cstdint>
#include <map>
#include <string>

#include "lockstep/v1/job_service.pb.h"

namespace lockstep::server {

// Threads: none of its own; the owner locks.
class StalenessRecord {
 public:
  // An update was applied: so many others since its parameters were taken, and
  // so many steps ahead of the oldest step that was not whole.
  void Add(uint64_t updates_behind, uint64_t steps_ahead);

  v1::Staleness Describe() const;

  // To and from a checkpoint's metadata; nothing has been seen where it has none.
  void Save(std::map<std::string, std::string>* metadata) const;
  void Load(const std::map<std::string, std::string>& metadata);

 private:
  uint64_t updates_ = 0;
  uint64_t sum_ = 0;
  uint64_t most_updates_ = 0;
  uint64_t most_steps_ = 0;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STALENESS_RECORD_H_
