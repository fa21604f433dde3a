// The worker processes that are not trusted any more, in STATE_DIR/quarantines, so
// that a server that is started again still knows them.
//
// The file: a line for each, "INSTANCE TAB NAME TAB HOST TAB PID TAB REASON", sorted.
// Lines of earlier versions, "HOST TAB PID TAB REASON", are read as those of processes
// that tell no instance, as the workers of those versions do.
#ifndef LOCKSTEP_SERVER_STORAGE_QUARANTINE_LIST_H_
#define LOCKSTEP_SERVER_STORAGE_QUARANTINE_LIST_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockstep::server {

// All but `reason` as the worker has registered; for people.
struct QuarantinedProcess {
  std::string name;
  std::string host;
  uint32_t pid = 0;
  std::string reason;  // one line
};

// By InstanceKey.
using QuarantineList = std::map<std::string, QuarantinedProcess>;

// What a process is known by: its instance (Register.instance) in hexadecimal, or
// "HOST:PID" where it tells none.
std::string InstanceKey(absl::string_view instance, absl::string_view host, uint32_t pid);

// Empty where there is no file. DATA_LOSS: a line that is none; the message names
// file and line. Else the system's errors.
absl::StatusOr<QuarantineList> ReadQuarantines(const std::string& state_dir);

// Writes all of them in place of those before, whole or not at all; on disk when it
// returns. Control characters become blanks.
absl::Status WriteQuarantines(const std::string& state_dir, const QuarantineList& list);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_QUARANTINE_LIST_H_
