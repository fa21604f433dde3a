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

// Each vector begins at a page.
constexpr uint64_t kPageBytes = 4096;

uint64_t WholePages(uint64_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

uint64_t BytesOf(const Tensor& tensor) {
  return static_cast<uint64_t>(tensor.element_count()) * sizeof(float);
}

absl::Status Unavailable(const std::string& folder, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat(folder, ": no file for a copy of the state: ", why));
}

}  // namespace

// What is written to the file is seen in its mapping.
class LazyCopy::File : public StorageOwner {
 public:
  static absl::StatusOr<std::shared_ptr<const File>> Create(const std::string& folder,
                                                            uint64_t size_bytes) {
    struct statvfs system = {};
    if (statvfs(folder.c_str(), &system) != 0) return Unavailable(folder, std::strerror(errno));
    // One for this, one for the checkpoint that is made of it, one that others may need.
    if (uint64_t{system.f_bavail} * system.f_frsize < 3 * size_bytes) {
      return Unavailable(folder, "too little room");
    }
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
  uint64_t size_bytes = 0;
  for (const auto* vectors : {&fixed, &changing}) {
    for (const Tensor& vector : *vectors) size_bytes += WholePages(BytesOf(vector));
  }
  auto file = File::Create(folder, size_bytes);
  if (!file.ok()) return file.status();
  return std::shared_ptr<LazyCopy>(
      new LazyCopy(*std::move(file), std::move(fixed), std::move(changing), piece_elements));
}

LazyCopy::LazyCopy(std::shared_ptr<const File> file, std::vector<Tensor> fixed,
                   std::vector<Tensor> changing, int64_t piece_elements)
    : file_(std::move(file)),
      piece_elements_(piece_elements),
      fixed_(std::move(fixed)),
      changing_(std::move(changing)) {
  LOCKSTEP_CHECK_EQ(piece_elements_ * sizeof(float) % kPageBytes, 0u);
  const std::shared_ptr<Storage> storage =
      Storage::Use(file_, file_->data(), file_->size_bytes(), /*foreign=*/false);
  uint64_t offset_bytes = 0;
  const auto place = [&](const Tensor& vector) {
    Tensor copy = Tensor::View(storage, offset_bytes, vector.shape());
    offset_bytes += WholePages(BytesOf(vector));
    return copy;
  };
  int64_t most_elements = 0;
  for (const Tensor& vector : fixed_) fixed_copies_.push_back(place(vector));
  for (const Tensor& vector : changing_) {
    changing_copies_.push_back(place(vector));
    most_elements = std::max(most_elements, vector.element_count());
  }
  pieces_done_ =
      std::vector<std::once_flag>((most_elements + piece_elements_ - 1) / piece_elements_);
}

void LazyCopy::Copy(const Tensor& from, Tensor& to, int64_t begin, int64_t end) {
  if (begin >= end) return;
  file_->Write(reinterpret_cast<const char*>(from.data<float>() + begin),
               static_cast<uint64_t>(end - begin) * sizeof(float),
               reinterpret_cast<char*>(to.data<float>() + begin));
}

void LazyCopy::CopyPiece(int piece) {
  std::call_once(pieces_done_[piece], [&] {
    const int64_t begin = piece * piece_elements_;
    for (size_t i = 0; i < changing_.size(); ++i) {
      const int64_t end = std::min(begin + piece_elements_, changing_[i].element_count());
      Copy(changing_[i], changing_copies_[i], begin, end);
    }
  });
}

void LazyCopy::Finish() {
  std::call_once(fixed_done_, [&] {
    for (size_t i = 0; i < fixed_.size(); ++i) {
      Copy(fixed_[i], fixed_copies_[i], 0, fixed_[i].element_count());
    }
    fixed_.clear();
  });
  for (size_t piece = 0; piece < pieces_done_.size(); ++piece) CopyPiece(static_cast<int>(piece));
}

}  // namespace lockstep::server
