// A job's examples: which stand in training and which in validation, and in
// what order each epoch takes them. A function of the job's spec and files, so
// that every worker has the same; the place that joins engine/data and proto.
#ifndef LOCKSTEP_ENGINE_MODEL_JOB_DATA_H_
#define LOCKSTEP_ENGINE_MODEL_JOB_DATA_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/block_pool.h"
#include "engine/data/dataset.h"
#include "engine/shape.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// Immutable once loaded. Threads: all calls from any thread.
class JobData {
 public:
  // Reads the spec's data files. Requires: absolute paths, defaults filled in.
  //
  // With validation_fraction f, n - floor(n * f + 0.5) of the file's n
  // examples (at least 1) train: those that stand first in the permutation
  // kValidationSplit of the seed. Either part then goes by file order.
  //
  // Errors: NotFound, PermissionDenied, DataLoss: a file is not there, not
  // readable, damaged; FailedPrecondition: a file's SHA-256 is not the spec's
  // (file, got, want); InvalidArgument: a file is malformed, its labels do not
  // suit the loss (where), or the spec's data section contradicts itself.
  static absl::StatusOr<std::shared_ptr<const JobData>> Load(const v1::JobSpec& spec);

  uint64_t training_examples() const { return training_count_; }
  // 0: the job has no validation.
  uint64_t validation_examples() const { return validation_count_; }
  const Shape& example_shape() const { return training_->example_shape(); }
  // 1 + the greatest label of both parts; 0: they are not classes.
  uint64_t class_count() const { return class_count_; }
  // Whether batches' labels are int64 classes (cross entropy) or float32.
  bool integer_labels() const { return integer_labels_; }

  // Index in the training file of the example at `position` of `epoch`.
  // Requires: position < training_examples(), epoch < 2^44.
  int64_t TrainingExample(uint64_t epoch, uint64_t position) const;

  // The examples at positions [first_position, first_position + examples) of
  // `epoch`. Shapes as data::Batch. Requires: they lie within the epoch.
  data::Batch TrainingBatch(uint64_t epoch, uint64_t first_position, uint64_t examples) const;

  // The validation examples [first, first + examples), in file order.
  // Requires: first + examples <= validation_examples().
  data::Batch ValidationBatch(uint64_t first, uint64_t examples) const;

  // What goes into JobSpec.data_summary.
  v1::DataSummary Summary() const;

 private:
  JobData() = default;

  // That both parts suit the loss and each other; sets class_count_.
  absl::Status CheckParts();
  // Sets the parts' sizes and, with a fraction, their index lists.
  void Split(double fraction);
  // Indices in the training file of the positions [first, first + count) of `epoch`.
  PooledVector<int64_t> TrainingExamples(uint64_t epoch, uint64_t first, uint64_t count) const;

  std::shared_ptr<const data::Dataset> training_;
  // The same dataset as training_ with validation_fraction; null without validation.
  std::shared_ptr<const data::Dataset> validation_;
  // Ascending examples of each part; empty: all of its dataset.
  std::vector<int64_t> training_part_;
  std::vector<int64_t> validation_part_;
  uint64_t training_count_ = 0;
  uint64_t validation_count_ = 0;
  uint64_t class_count_ = 0;
  uint64_t seed_ = 0;
  bool shuffle_ = true;
  bool integer_labels_ = false;
};

// Sets the sha256 fields of the spec's data sources to those of the files.
// Requires: absolute paths. Errors: NotFound, PermissionDenied, InvalidArgument
// as JobData::Load.
absl::Status FillDataDigests(v1::JobSpec* spec);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_JOB_DATA_H_
