#include "engine/data/idx_file.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/data/data_file.h"

namespace lockstep::data {
namespace {

constexpr uint8_t kUnsignedByte = 8;

absl::Status Error(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

// Reads exactly size_bytes of the header.
absl::Status ReadHeaderBytes(DataFile* file, const std::string& path, uint8_t* out,
                             size_t size_bytes) {
  absl::StatusOr<size_t> count = file->Read(out, size_bytes);
  if (!count.ok()) return count.status();
  if (*count == size_bytes) return absl::OkStatus();
  return Error(path, absl::StrCat("IDX header, got its end after ", *count, " bytes, want ",
                                  size_bytes, " more"));
}

absl::StatusOr<int> ReadRank(DataFile* file, const std::string& path, int least_rank,
                             int greatest_rank) {
  uint8_t magic[4];
  absl::Status status = ReadHeaderBytes(file, path, magic, sizeof(magic));
  if (!status.ok()) return status;
  if (magic[0] != 0 || magic[1] != 0 || magic[2] != kUnsignedByte) {
    return Error(path, absl::StrCat("IDX header's first bytes, got ", magic[0], " ", magic[1], " ",
                                    magic[2], ", want 0 0 8 (a file of unsigned bytes)"));
  }
  const int rank = magic[3];
  if (rank >= least_rank && rank <= greatest_rank) return rank;
  return Error(path, absl::StrCat("IDX rank, got ", rank, ", want ", least_rank,
                                  greatest_rank > least_rank ? " or more" : ""));
}

absl::StatusOr<std::vector<int64_t>> ReadExtents(DataFile* file, const std::string& path,
                                                 int rank) {
  std::vector<int64_t> extents;
  for (int axis = 0; axis < rank; ++axis) {
    uint8_t bytes[4];
    absl::Status status = ReadHeaderBytes(file, path, bytes, sizeof(bytes));
    if (!status.ok()) return status;
    const uint32_t extent = uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
                            uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
    if (extent == 0) {
      return Error(path, absl::StrCat("IDX extent of axis ", axis, ", got 0, want at least 1"));
    }
    extents.push_back(extent);
  }
  return extents;
}

// How many elements the header promises: refused where the file cannot hold
// them, so that a false header takes no memory.
absl::StatusOr<uint64_t> CountElements(const DataFile& file, const std::string& path,
                                       const std::vector<int64_t>& extents) {
  uint64_t count = 1;
  for (int64_t extent : extents) {
    // No extent is 0, so a product beyond the bound only grows.
    if (count > file.most_bytes() / static_cast<uint64_t>(extent)) {
      return Error(path, absl::StrCat("IDX elements, got extents ", absl::StrJoin(extents, " x "),
                                      ", want no more than the file can hold, ", file.most_bytes(),
                                      " bytes"));
    }
    count *= static_cast<uint64_t>(extent);
  }
  return count;
}

// Takes memory as the bytes come: compressed files hold rarely what their size
// would allow at best.
absl::StatusOr<std::vector<uint8_t>> ReadElements(DataFile* file, const std::string& path,
                                                  uint64_t count) {
  constexpr uint64_t kFirstPiece = uint64_t{1} << 20;
  std::vector<uint8_t> elements;
  while (elements.size() < count) {
    const uint64_t begin = elements.size();
    elements.resize(std::min(count, begin + std::max(begin, kFirstPiece)));
    absl::StatusOr<size_t> got = file->Read(elements.data() + begin, elements.size() - begin);
    if (!got.ok()) return got.status();
    if (begin + *got < elements.size()) {
      return Error(path, absl::StrCat("IDX elements, got ", begin + *got,
                                      " bytes to the file's end, want ", count));
    }
  }
  uint8_t extra = 0;
  absl::StatusOr<size_t> got = file->Read(&extra, 1);  // also lets gzip check its sum
  if (!got.ok()) return got.status();
  if (*got > 0) {
    return Error(path, absl::StrCat("IDX elements, got bytes behind the last one, want ", count,
                                    " and the file's end"));
  }
  return elements;
}

}  // namespace

absl::StatusOr<IdxFile> ReadIdxFile(const std::string& path, int least_rank, int greatest_rank) {
  absl::StatusOr<std::unique_ptr<DataFile>> file = DataFile::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<int> rank = ReadRank(file->get(), path, least_rank, greatest_rank);
  if (!rank.ok()) return rank.status();
  absl::StatusOr<std::vector<int64_t>> extents = ReadExtents(file->get(), path, *rank);
  if (!extents.ok()) return extents.status();
  absl::StatusOr<uint64_t> count = CountElements(**file, path, *extents);
  if (!count.ok()) return count.status();
  absl::StatusOr<std::vector<uint8_t>> elements = ReadElements(file->get(), path, *count);
  if (!elements.ok()) return elements.status();
  absl::StatusOr<std::string> sha256 = (*file)->FinishSha256();
  if (!sha256.ok()) return sha256.status();
  return IdxFile{*std::move(extents), *std::move(elements), *std::move(sha256)};
}

}  // namespace lockstep::data
