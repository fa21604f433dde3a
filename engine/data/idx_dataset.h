// Images (or any unsigned bytes) and labels in the IDX format of MNIST.
//
// An IDX file, all numbers big-endian:
//   2 bytes    0
//   1 byte     type of the elements; 8, unsigned byte, is the only one read
//   1 byte     rank
//   4 bytes    each extent, the first axis first
//   the elements, row-major, to the end of the file
#ifndef LOCKSTEP_ENGINE_DATA_IDX_DATASET_H_
#define LOCKSTEP_ENGINE_DATA_IDX_DATASET_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/data/dataset.h"
#include "engine/data/scaling.h"

namespace lockstep::data {

struct IdxOptions {
  // Rank >= 2: the first axis is the example. gunzipped where it ends in ".gz".
  std::string images_path;
  // Rank 1, as many as images. gunzipped where it ends in ".gz".
  std::string labels_path;
  Scaling scaling;
};

// Keeps the bytes and scales them through a table of 256 values when they are
// copied out: a quarter of the memory that floats would take.
class IdxDataset : public Dataset {
 public:
  // Reads each file once. A header that claims more bytes than the file can
  // hold is refused before memory is taken for them.
  // Errors: NotFound, PermissionDenied: a file cannot be opened;
  // DataLoss: the gzip data is damaged; InvalidArgument: anything in it is not
  // as above, as `path: what, got X, want Y`.
  static absl::StatusOr<std::unique_ptr<IdxDataset>> Load(const IdxOptions& options);

  int64_t example_count() const override { return static_cast<int64_t>(labels_.size()); }
  const Shape& example_shape() const override { return example_shape_; }
  void CopyFeatures(int64_t example, float* out) const override;
  uint64_t class_count() const override { return class_count_; }
  const Shape& label_shape() const override { return label_shape_; }
  void CopyClassLabels(int64_t example, int64_t* out) const override { *out = labels_[example]; }
  void CopyTargets(int64_t example, float* out) const override { *out = labels_[example]; }
  // "path of the labels: label 12" (from 0).
  std::string LabelPlace(int64_t example) const override;

  // SHA-256 (hex) of each file's bytes as they are on disk.
  const std::string& images_sha256() const { return images_sha256_; }
  const std::string& labels_sha256() const { return labels_sha256_; }

 private:
  IdxDataset() = default;

  std::string labels_path_;
  std::string images_sha256_;
  std::string labels_sha256_;
  Shape example_shape_;
  const Shape label_shape_;
  int64_t example_size_ = 0;
  std::vector<uint8_t> pixels_;  // example after example
  std::vector<uint8_t> labels_;
  uint64_t class_count_ = 0;
  std::array<float, 256> scaled_{};  // by raw byte
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_IDX_DATASET_H_
