// Files that appear whole or not at all, also through a power cut.
#ifndef LOCKSTEP_ENGINE_DATA_ATOMIC_FILE_H_
#define LOCKSTEP_ENGINE_DATA_ATOMIC_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace lockstep::data {

// Makes `path` a file of the pieces one after another, replacing any that was
// there: writes "<path>.tmp.<process>.<number>" beside it, syncs it to disk,
// renames it, syncs the folder.
//
// Errors: ResourceExhausted: no room (or a size limit); the message names the
// file and its bytes: make room and retry. NotFound: no such folder;
// PermissionDenied; Internal and others: the disk's. After an error no
// temporary file is left, and `path` is as it was, except where syncing the
// folder failed: then it is the new file but may be lost with the machine.
// A process that dies within the call leaves its temporary file behind.
// Threads: any; of two writers of one path the later rename stays.
absl::Status WriteFileAtomically(const std::string& path,
                                 absl::Span<const absl::string_view> pieces);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_ATOMIC_FILE_H_
