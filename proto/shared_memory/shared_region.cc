#include "proto/shared_memory/shared_region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lockstep {
namespace {

constexpr uint64_t kHeaderBytes = 4096;
constexpr char kMagic[8] = {'L', 'K', 'S', 'T', 'E', 'P', 'S', 'M'};
constexpr size_t kTokenBytes = 16;
constexpr char kName[] = "lockstep";
// More than any machine's memory.
constexpr uint64_t kMostBytes = uint64_t{1} << 46;

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct Header {
  char magic[sizeof(kMagic)];
  uint64_t size_bytes;
  char token[kTokenBytes];
};

// Closes at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status Exhausted(const char* what) {
  return absl::ResourceExhaustedError(
      absl::StrCat("shared memory: ", what, ": ", std::strerror(errno)));
}

// Whether the link names a region; what is opened then cannot be a device or a pipe.
bool IsRegion(const std::string& path) {
  char target[256] = {};
  const ssize_t length = readlink(path.c_str(), target, sizeof(target) - 1);
  return length > 0 && absl::StartsWith(target, absl::StrCat("/memfd:", kName));
}

}  // namespace

SharedRegion::SharedRegion(int descriptor, char* mapping, uint64_t size_bytes, std::string token)
    : descriptor_(descriptor),
      mapping_(mapping),
      data_(mapping + kHeaderBytes),
      size_bytes_(size_bytes),
      token_(std::move(token)) {}

SharedRegion::~SharedRegion() {
  munmap(mapping_, kHeaderBytes + size_bytes_);
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<std::shared_ptr<SharedRegion>> SharedRegion::Create(uint64_t size_bytes) {
  if (size_bytes > kMostBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("shared memory: got ", size_bytes, " bytes"));
  }
  Descriptor descriptor(memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (descriptor.get() < 0) return Exhausted("memfd_create");
  const uint64_t all = kHeaderBytes + size_bytes;
  if (ftruncate(descriptor.get(), static_cast<off_t>(all)) != 0) return Exhausted("ftruncate");
  void* const mapping = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (mapping == MAP_FAILED) return Exhausted("mmap");
  (void)madvise(mapping, all, MADV_HUGEPAGE);
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.size_bytes = size_bytes;
  const bool random = getrandom(header.token, kTokenBytes, 0) == kTokenBytes;
  const int no_resize = F_SEAL_SHRINK | F_SEAL_GROW;
  if (!random || fcntl(descriptor.get(), F_ADD_SEALS, no_resize) != 0) {
    munmap(mapping, all);
    return Exhausted("sealing");
  }
  // Kernels before 5.1 do not know it.
  (void)fcntl(descriptor.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
  std::memcpy(mapping, &header, sizeof(header));
  return std::shared_ptr<SharedRegion>(new SharedRegion(descriptor.release(),
                                                        static_cast<char*>(mapping), size_bytes,
                                                        std::string(header.token, kTokenBytes)));
}

absl::StatusOr<std::shared_ptr<SharedRegion>> SharedRegion::Open(const SharedRegionPlace& place) {
  const std::string path = absl::StrCat("/proc/", place.pid, "/fd/", place.descriptor);
  const std::string what = absl::StrCat("shared memory ", path);
  if (!IsRegion(path)) return absl::NotFoundError(what + ": got none within reach");
  const Descriptor descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) return absl::NotFoundError(what + ": " + std::strerror(errno));
  struct stat status = {};
  const uint64_t all = kHeaderBytes + place.size_bytes;
  const int seals = fcntl(descriptor.get(), F_GET_SEALS);
  // Without the seal its owner could make it shorter, and reading it a fault.
  if (place.size_bytes > kMostBytes || seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
      fstat(descriptor.get(), &status) != 0 || static_cast<uint64_t>(status.st_size) != all) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": want a sealed region of ", place.size_bytes, " bytes"));
  }
  void* const mapping = mmap(nullptr, all, PROT_READ, MAP_SHARED, descriptor.get(), 0);
  if (mapping == MAP_FAILED) return Exhausted("mmap");
  Header header = {};
  std::memcpy(&header, mapping, sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 ||
      header.size_bytes != place.size_bytes) {
    munmap(mapping, all);
    return absl::InvalidArgumentError(what + ": got another header than a region's");
  }
  return std::shared_ptr<SharedRegion>(new SharedRegion(
      -1, static_cast<char*>(mapping), place.size_bytes, std::string(header.token, kTokenBytes)));
}

SharedRegionPlace SharedRegion::place() const {
  return {static_cast<uint32_t>(getpid()), static_cast<uint32_t>(descriptor_), size_bytes_};
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace lockstep
