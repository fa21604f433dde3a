// Comma-separated values: one example a line, one column the label (or several
// the labels), perhaps one its weight, all others features. Numbers only; categories and missing
// values are not read.
//
// Lines end in LF or CRLF; blank lines may follow the last row; a UTF-8 byte
// order mark is skipped. A field may stand in double quotes, within one line.
// Numbers have a point for decimals whatever the locale, and must be finite.
#ifndef LOCKSTEP_ENGINE_DATA_CSV_DATASET_H_
#define LOCKSTEP_ENGINE_DATA_CSV_DATASET_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/data/dataset.h"
#include "engine/data/scaling.h"

namespace lockstep::data {

struct CsvOptions {
  // gunzipped where it ends in ".gz".
  std::string path;
  // Whether the first line names the columns.
  bool header = false;
  // Names (with a header), or indices from 0, or from the end as -1, -2, ...
  // A name wins over an index. None: -1. The labels stand in this order.
  std::vector<std::string> label_columns;
  // The column of the examples' weights, finite numbers >= 0. Empty: none.
  std::string weight_column;
  Scaling scaling;
};

class CsvDataset : public Dataset {
 public:
  // Reads the file once.
  // Errors: NotFound, PermissionDenied: the file cannot be opened;
  // DataLoss: the gzip data is damaged; InvalidArgument: anything in it is not
  // as above, as `path:line:column: what, got X, want Y`.
  static absl::StatusOr<std::unique_ptr<CsvDataset>> Load(const CsvOptions& options);

  int64_t example_count() const override { return example_count_; }
  const Shape& example_shape() const override { return example_shape_; }
  // [] with one label column.
  const Shape& label_shape() const override { return label_shape_; }
  void CopyFeatures(int64_t example, float* out) const override;
  uint64_t class_count() const override { return class_count_; }
  void CopyClassLabels(int64_t example, int64_t* out) const override;
  void CopyTargets(int64_t example, float* out) const override;
  bool has_weights() const override { return !weights_.empty(); }
  float Weight(int64_t example) const override { return weights_[example]; }
  // "path:line"; the column is not kept.
  std::string LabelPlace(int64_t example) const override;

  // SHA-256 (hex) of the file's bytes as they are on disk.
  const std::string& sha256() const { return sha256_; }

 private:
  friend class CsvReader;
  CsvDataset() = default;

  std::string path_;
  std::string sha256_;
  int64_t first_line_ = 1;  // of the first example, from 1
  int64_t example_count_ = 0;
  Shape example_shape_;
  Shape label_shape_;
  std::vector<float> features_;  // scaled, row after row
  std::vector<float> labels_;    // row after row
  std::vector<float> weights_;   // empty: none
  uint64_t class_count_ = 0;
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_CSV_DATASET_H_
