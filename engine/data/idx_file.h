// One file of unsigned bytes in the IDX format; idx_dataset.h gives its layout.
#ifndef LOCKSTEP_ENGINE_DATA_IDX_FILE_H_
#define LOCKSTEP_ENGINE_DATA_IDX_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lockstep::data {

struct IdxFile {
  std::vector<int64_t> extents;   // each at least 1
  std::vector<uint8_t> elements;  // row-major, as many as the extents say
  std::string sha256;             // hex, of the bytes on disk
};

// Reads the file at `path`, gunzipped where it ends in ".gz". Its rank must be
// least_rank to greatest_rank. Errors: as IdxDataset::Load.
absl::StatusOr<IdxFile> ReadIdxFile(const std::string& path, int least_rank, int greatest_rank);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_IDX_FILE_H_
