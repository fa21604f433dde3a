#include "server/storage/lazy_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace lockstep::server {
namespace {

constexpr uint64_t kPageBytes = 4096;

uint64_t WholePages(uint64_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

uint64_t BytesOf(const Tensor& tensor) {
  return static_cast<uint64_t>(tensor.element_count()) * sizeof(float);
}

absl::Status Unavailable(const std::string& folder, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat(folder, ": no file for a copy of the state: ", why));
}

absl::Status CheckRoom(const std::string& folder, uint64_t size_bytes) {
  struct statvfs system = {};
  if (statvfs(folder.c_str(), &system) != 0) return Unavailable(folder, std::strerror(errno));
  // One for the copy, one for the checkpoint that is made of it, one that others may need.
  const bool enough = uint64_t{system.f_bavail} * system.f_frsize >= 3 * size_bytes;
  return enough ? absl::OkStatus() : Unavailable(folder, "too little room");
}

}  // namespace

// What is written to the file is seen in its mapping.
class LazyCopy::File : public StorageOwner {
 public:
  static absl::StatusOr<std::shared_ptr<const File>> Create(const std::string& folder,
                                                            uint64_t size_bytes) {
    const int descriptor = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0) return Unavailable(folder, std::strerror(errno));
    void* mapping = MAP_FAILED;
    if (ftruncate(descriptor, static_cast<off_t>(size_bytes)) == 0) {
      mapping = mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    }
    if (mapping == MAP_FAILED) {
      const std::string why = std::strerror(errno);
      close(descriptor);
      return Unavailable(folder, why);
    }
    return std::make_shared<const File>(descriptor, static_cast<char*>(mapping), size_bytes);
  }

  File(int descriptor, char* mapping, uint64_t size_bytes)
      : descriptor_(descriptor), mapping_(mapping), size_bytes_(size_bytes) {}
  ~File() override {
    munmap(mapping_, size_bytes_);
    close(descriptor_);
  }

  char* data() const { return mapping_; }
  uint64_t size_bytes() const { return size_bytes_; }

  // `at`: within data(), at a page's begin; the last page is the caller's as a whole.
  void Write(const char* from, uint64_t size_bytes, char* at) const {
    uint64_t done = 0;
    while (done < size_bytes) {
      const ssize_t written =
          pwrite(descriptor_, from + done, size_bytes - done, at + done - mapping_);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return WriteToMemory(from, size_bytes, at, done);
      done += static_cast<uint64_t>(written);
    }
  }

 private:
  // The rest behind `done` bytes, in memory that takes the place of the file's pages.
  void WriteToMemory(const char* from, uint64_t size_bytes, char* at, uint64_t done) const {
    done -= done % kPageBytes;
    void* const memory = mmap(at + done, WholePages(size_bytes - done), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    LOCKSTEP_CHECK(memory != MAP_FAILED, "no memory for a copy of the state");
    std::memcpy(memory, from + done, size_bytes - done);
  }

  const int descriptor_;
  char* const mapping_;
  const uint64_t size_bytes_;
};

absl::StatusOr<std::shared_ptr<LazyCopy>> LazyCopy::Begin(const std::string& folder,
                                                          std::vector<Tensor> fixed,
                                                          std::vector<Tensor> changing,
                                                          int64_t piece_elements) {
  LOCKSTEP_CHECK_EQ(piece_elements * sizeof(float) % kPageBytes, 0u);
  uint64_t size_bytes = 0;
  for (const auto* vectors : {&fixed, &changing}) {
    for (const Tensor& vector : *vectors) size_bytes += WholePages(BytesOf(vector));
  }
  if (auto status = CheckRoom(folder, size_bytes); !status.ok()) return status;
  std::shared_ptr<LazyCopy> copy(new LazyCopy(piece_elements));
  for (auto* vectors : {&fixed, &changing}) {
    for (Tensor& vector : *vectors) {
      // One each: the system lets one thread write to a file at a time.
      auto file = File::Create(folder, WholePages(BytesOf(vector)));
      if (!file.ok()) return file.status();
      copy->Add(std::move(vector), *std::move(file), /*changes=*/vectors == &changing);
    }
  }
  return copy;
}

void LazyCopy::Add(Tensor vector, std::shared_ptr<const File> file, bool changes) {
  const std::shared_ptr<Storage> storage =
      Storage::Use(file, file->data(), file->size_bytes(), /*foreign=*/false);
  (changes ? changing_copies_ : fixed_copies_).push_back(Tensor::View(storage, 0, vector.shape()));
  if (changes) {
    const int64_t pieces = (vector.element_count() + piece_elements_ - 1) / piece_elements_;
    if (pieces > static_cast<int64_t>(pieces_done_.size())) {
      pieces_done_ = std::vector<std::once_flag>(pieces);
    }
  }
  (changes ? changing_ : fixed_).push_back({std::move(vector), std::move(file)});
}

void LazyCopy::Copy(const Source& source, int64_t begin, int64_t end) {
  if (begin >= end) return;
  source.file->Write(
      reinterpret_cast<const char*>(std::as_const(source.vector).data<float>() + begin),
      static_cast<uint64_t>(end - begin) * sizeof(float),
      source.file->data() + begin * sizeof(float));
}

void LazyCopy::CopyPiece(int piece) {
  if (piece >= static_cast<int>(pieces_done_.size())) return;
  std::call_once(pieces_done_[piece], [&] {
    const int64_t begin = piece * piece_elements_;
    for (const Source& source : changing_) {
      Copy(source, begin, std::min(begin + piece_elements_, source.vector.element_count()));
    }
  });
}

void LazyCopy::CopyFixed() {
  std::call_once(fixed_done_, [&] {
    for (const Source& source : fixed_) Copy(source, 0, source.vector.element_count());
    fixed_.clear();
  });
}

void LazyCopy::Finish() {
  // From the end: a step that goes on meanwhile comes from the beginning.
  for (size_t piece = pieces_done_.size(); piece > 0; --piece) {
    CopyPiece(static_cast<int>(piece) - 1);
  }
  CopyFixed();
}

}  // namespace lockstep::server
