// A tmpfs of a few hundred KiB for tests of a full or read-only disk, mounted
// where only the calling thread sees it.
#ifndef LOCKSTEP_SERVER_STORAGE_SMALL_DISK_H_
#define LOCKSTEP_SERVER_STORAGE_SMALL_DISK_H_

#include <sched.h>
#include <sys/mount.h>

#include <string>

namespace lockstep::server {

// False: this process may not mount (skip the test). The mount goes with the
// thread, or with UnmountDisk.
inline bool MountSmallDisk(const std::string& folder, const std::string& size) {
  return unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("lockstep-test", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
}

inline bool MakeDiskReadOnly(const std::string& folder) {
  return mount("lockstep-test", folder.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}

inline void UnmountDisk(const std::string& folder) { umount2(folder.c_str(), MNT_DETACH); }

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_SMALL_DISK_H_
