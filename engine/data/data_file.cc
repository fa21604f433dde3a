#include "engine/data/data_file.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"

namespace lockstep::data {
namespace {

// deflate's best is a bit less than 1032 bytes for one (zlib, "Maximum
// Compression Factor").
constexpr uint64_t kMostInflation = 1032;
// zlib: 15 bits of window, plus 16 to read gzip's wrapping and nothing else.
constexpr int kGzipWindowBits = 15 + 16;

}  // namespace

absl::StatusOr<std::unique_ptr<DataFile>> DataFile::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<InputFile>> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  return absl::WrapUnique(new DataFile(*std::move(file), absl::EndsWith(path, ".gz")));
}

DataFile::DataFile(std::unique_ptr<InputFile> file, bool gzip)
    : file_(std::move(file)), block_(kFileBlockBytes) {
  if (!gzip) return;
  inflate_ = std::make_unique<z_stream>();
  std::memset(inflate_.get(), 0, sizeof(z_stream));
  LOCKSTEP_CHECK_EQ(inflateInit2(inflate_.get(), kGzipWindowBits), Z_OK);
}

DataFile::~DataFile() {
  if (inflate_ != nullptr) inflateEnd(inflate_.get());
}

uint64_t DataFile::most_bytes() const {
  if (inflate_ == nullptr) return file_->size_bytes();
  if (file_->size_bytes() > std::numeric_limits<uint64_t>::max() / kMostInflation) {
    return std::numeric_limits<uint64_t>::max();
  }
  return file_->size_bytes() * kMostInflation;
}

absl::Status DataFile::ReadBlock() {
  absl::StatusOr<size_t> size_bytes = file_->Read(block_.data(), block_.size());
  if (!size_bytes.ok()) return size_bytes.status();
  digest_.Update(block_.data(), *size_bytes);
  block_begin_ = 0;
  block_end_ = *size_bytes;
  return absl::OkStatus();
}

absl::StatusOr<size_t> DataFile::Read(void* out, size_t size_bytes) {
  if (inflate_ != nullptr) return ReadGzip(static_cast<char*>(out), size_bytes);
  absl::StatusOr<size_t> count = file_->Read(out, size_bytes);
  if (count.ok()) digest_.Update(out, *count);
  return count;
}

absl::Status DataFile::GzipError(const char* what) const {
  return absl::DataLossError(absl::StrCat(file_->path(), ": gzip data, got ", what));
}

absl::StatusOr<bool> DataFile::PrepareInput() {
  if (block_begin_ == block_end_) {
    absl::Status status = ReadBlock();
    if (!status.ok()) return status;
    if (block_end_ == 0 && between_members_) return false;
    if (block_end_ == 0) return GzipError("its end within a member, want the rest of it");
  }
  if (between_members_) {
    LOCKSTEP_CHECK_EQ(inflateReset(inflate_.get()), Z_OK);
    between_members_ = false;
  }
  return true;
}

absl::StatusOr<size_t> DataFile::ReadGzip(char* out, size_t size_bytes) {
  size_t done = 0;
  while (done < size_bytes) {
    absl::StatusOr<bool> more = PrepareInput();
    if (!more.ok()) return more.status();
    if (!*more) break;
    // zlib counts in 32 bits.
    const uInt room = static_cast<uInt>(std::min<size_t>(size_bytes - done, 1 << 30));
    inflate_->next_in = reinterpret_cast<Bytef*>(block_.data() + block_begin_);
    inflate_->avail_in = static_cast<uInt>(block_end_ - block_begin_);
    inflate_->next_out = reinterpret_cast<Bytef*>(out + done);
    inflate_->avail_out = room;
    const int result = inflate(inflate_.get(), Z_NO_FLUSH);
    block_begin_ = block_end_ - inflate_->avail_in;
    done += room - inflate_->avail_out;
    if (result == Z_STREAM_END) {
      between_members_ = true;
    } else if (result == Z_MEM_ERROR) {
      return absl::ResourceExhaustedError(absl::StrCat(file_->path(), ": no memory to gunzip"));
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return GzipError(inflate_->msg != nullptr ? inflate_->msg : "damaged data");
    }
  }
  return done;
}

absl::StatusOr<std::string> DataFile::FinishSha256() {
  do {
    absl::Status status = ReadBlock();
    if (!status.ok()) return status;
  } while (block_end_ > 0);
  return digest_.FinishHex();
}

}  // namespace lockstep::data
