// The worker processes that are not trusted any more, in STATE_DIR/quarantines, so
// that a server that is started again still knows them. Whoever has mended a machine
// whose next worker has the same process number (in a container, say) removes its
// line, or the file, while the server is down.
//
// The file: a line for each, "HOST TAB PID TAB REASON", sorted.
#ifndef LOCKSTEP_SERVER_STORAGE_QUARANTINE_LIST_H_
#define LOCKSTEP_SERVER_STORAGE_QUARANTINE_LIST_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lockstep::server {

// Why, by host and process number.
using QuarantineList = std::map<std::pair<std::string, uint32_t>, std::string>;

// Empty where there is no file. DATA_LOSS: a line that is none; the message names
// file and line. Else the system's errors.
absl::StatusOr<QuarantineList> ReadQuarantines(const std::string& state_dir);

// Writes all of them in place of those before, whole or not at all; on disk when it
// returns. Control characters become blanks.
absl::Status WriteQuarantines(const std::string& state_dir, const QuarantineList& list);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_QUARANTINE_LIST_H_
