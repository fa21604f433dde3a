// What the server does with files of its state folder beside writing them
// (engine/data/atomic_file.h).
//
// Errors: the system's as absl has them, naming the file: NOT_FOUND,
// PERMISSION_DENIED, RESOURCE_EXHAUSTED (disk full), INTERNAL ...
#ifndef LOCKSTEP_SERVER_STORAGE_STATE_FILES_H_
#define LOCKSTEP_SERVER_STORAGE_STATE_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lockstep::server {

// Makes the folder and its missing parents, so that they are still there after
// a power cut. OK where it exists.
absl::Status MakeFolder(const std::string& path);

// FAILED_PRECONDITION: it is a folder, a pipe or a device.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

// Names of the regular files in a folder, ascending; empty where there is no
// such folder.
absl::StatusOr<std::vector<std::string>> FileNames(const std::string& folder);

// OK where there is no such file.
absl::Status RemoveFile(const std::string& path);

// Renames to "<path>.damaged", over one that is there already.
absl::Status SetFileAside(const std::string& path);

// Removes the temporary files that WriteFileAtomically left behind in the
// folders within `folder` when its process died. Requires: no one writes there.
absl::Status RemoveUnfinishedWrites(const std::string& folder);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_STATE_FILES_H_
