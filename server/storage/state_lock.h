// Keeps two servers out of one state folder.
#ifndef LOCKSTEP_SERVER_STORAGE_STATE_LOCK_H_
#define LOCKSTEP_SERVER_STORAGE_STATE_LOCK_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace lockstep::server {

// Holds flock(2) on STATE_DIR/lock for as long as it lives. The kernel gives
// the lock back when the process ends in whatever way, so none is ever stale;
// child processes do not inherit it.
class StateLock {
 public:
  // Creates the folder where it is missing. FAILED_PRECONDITION: another
  // server has it (the message names folder and process); PERMISSION_DENIED,
  // RESOURCE_EXHAUSTED: the folder cannot be made or written.
  static absl::StatusOr<std::unique_ptr<StateLock>> Acquire(const std::string& state_dir);
  ~StateLock();
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;

  // Whether the folder's lock file is still the one held. DATA_LOSS: somebody
  // has deleted or replaced it, so that what is written now is lost.
  absl::Status CheckInPlace() const;

 private:
  StateLock(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  const std::string path_;
  const int descriptor_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_STATE_LOCK_H_
