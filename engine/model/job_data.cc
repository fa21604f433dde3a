#include "engine/model/job_data.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/data/csv_dataset.h"
#include "engine/data/idx_dataset.h"
#include "engine/data/permutation.h"
#include "engine/data/scaling.h"
#include "engine/data/sha256.h"
#include "engine/data/text_dataset.h"
#include "engine/data/token_vocabulary.h"
#include "engine/model/check_loss.h"

namespace lockstep {
namespace {

using Loaded = absl::StatusOr<std::unique_ptr<data::Dataset>>;

data::Scaling ScalingOf(const v1::Scaling& spec) {
  data::Scaling scaling;
  if (spec.has_divide_by()) scaling.divide_by = spec.divide_by();
  if (spec.has_mean()) scaling.mean = spec.mean();
  if (spec.has_standard_deviation()) scaling.standard_deviation = spec.standard_deviation();
  return scaling;
}

absl::Status CheckAbsolute(const std::string& path) {
  if (absl::StartsWith(path, "/")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("data file, got the path \"", path, "\", want an absolute one"));
}

absl::Status CheckDigest(const std::string& path, const std::string& got, const std::string& want) {
  if (want.empty() || got == want) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": not the job's data: SHA-256, got ", got, ", want ", want));
}

// A file that is not the job's may well fail to parse; then what is worth
// saying is that it is another file. Reads it again, but only after an error.
absl::Status PreferDigestError(absl::Status error, const std::string& path,
                               const std::string& want) {
  if (want.empty()) return error;
  absl::StatusOr<std::string> got = data::FileSha256(path);
  if (!got.ok()) return error;
  absl::Status digest = CheckDigest(path, *got, want);
  return digest.ok() ? error : digest;
}

Loaded LoadCsv(const v1::CsvSource& source, const data::Scaling& scaling) {
  absl::Status status = CheckAbsolute(source.path());
  if (!status.ok()) return status;
  data::CsvOptions options;
  options.path = source.path();
  options.header = source.header();
  options.label_columns.assign(source.label_columns().begin(), source.label_columns().end());
  if (!source.label_column().empty()) options.label_columns = {source.label_column()};
  options.weight_column = source.weight_column();
  options.scaling = scaling;
  absl::StatusOr<std::unique_ptr<data::CsvDataset>> dataset = data::CsvDataset::Load(options);
  if (!dataset.ok()) return PreferDigestError(dataset.status(), source.path(), source.sha256());
  status = CheckDigest(source.path(), (*dataset)->sha256(), source.sha256());
  if (!status.ok()) return status;
  return *std::move(dataset);
}

Loaded LoadIdx(const v1::IdxSource& source, const data::Scaling& scaling) {
  absl::Status status = CheckAbsolute(source.images());
  status.Update(CheckAbsolute(source.labels()));
  if (!status.ok()) return status;
  absl::StatusOr<std::unique_ptr<data::IdxDataset>> dataset =
      data::IdxDataset::Load({source.images(), source.labels(), scaling});
  if (!dataset.ok()) {
    status = PreferDigestError(dataset.status(), source.images(), source.images_sha256());
    if (absl::IsFailedPrecondition(status)) return status;
    return PreferDigestError(status, source.labels(), source.labels_sha256());
  }
  status = CheckDigest(source.images(), (*dataset)->images_sha256(), source.images_sha256());
  status.Update(CheckDigest(source.labels(), (*dataset)->labels_sha256(), source.labels_sha256()));
  if (!status.ok()) return status;
  return *std::move(dataset);
}

Loaded LoadText(const v1::TextSource& source, const data::Dataset* training) {
  absl::Status status = CheckAbsolute(source.path());
  if (!status.ok()) return status;
  data::TextOptions options;
  options.path = source.path();
  if (source.tokens().has_bytes()) options.tokens = data::TextTokens::kBytes;
  options.context = source.context();
  options.stride = source.has_stride() ? source.stride() : source.context();
  options.from = source.from();
  options.to = source.has_to() ? source.to() : 1;
  absl::StatusOr<std::unique_ptr<data::TextDataset>> dataset = data::TextDataset::Load(
      options, training == nullptr ? nullptr : training->shared_vocabulary());
  if (!dataset.ok()) return PreferDigestError(dataset.status(), source.path(), source.sha256());
  status = CheckDigest(source.path(), (*dataset)->sha256(), source.sha256());
  if (!status.ok()) return status;
  return *std::move(dataset);
}

// `training`: what a validation source goes with; null: this is training.
Loaded LoadSource(const v1::SourceChoice& source, const data::Scaling& scaling, const char* field,
                  const data::Dataset* training = nullptr) {
  switch (source.source_case()) {
    case v1::SourceChoice::kCsv:
      return LoadCsv(source.csv(), scaling);
    case v1::SourceChoice::kIdx:
      return LoadIdx(source.idx(), scaling);
    case v1::SourceChoice::kText:
      return LoadText(source.text(), training);
    case v1::SourceChoice::SOURCE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": source, got none, want csv, idx or text"));
}

// Where the first label that is not a class stands. Requires: there is one.
absl::Status BadLabel(const data::Dataset& dataset) {
  std::vector<float> labels(dataset.label_shape().element_count());
  for (int64_t example = 0;; ++example) {
    dataset.CopyTargets(example, labels.data());
    for (float label : labels) {
      if (data::LabelAsClass(label).has_value()) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(dataset.LabelPlace(example), ": label for cross_entropy, got ", label,
                       ", want a whole number from 0 to ", data::kMaxClasses - 1));
    }
  }
}

absl::Status FillDigest(const std::string& path, std::string* sha256) {
  absl::Status status = CheckAbsolute(path);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> digest = data::FileSha256(path);
  if (digest.ok()) *sha256 = *std::move(digest);
  return digest.status();
}

absl::Status FillSource(v1::SourceChoice* source) {
  if (source->has_csv()) {
    return FillDigest(source->csv().path(), source->mutable_csv()->mutable_sha256());
  }
  if (source->has_text()) {
    return FillDigest(source->text().path(), source->mutable_text()->mutable_sha256());
  }
  if (!source->has_idx()) return absl::OkStatus();
  v1::IdxSource* idx = source->mutable_idx();
  absl::Status status = FillDigest(idx->images(), idx->mutable_images_sha256());
  if (!status.ok()) return status;
  return FillDigest(idx->labels(), idx->mutable_labels_sha256());
}

}  // namespace

absl::StatusOr<std::shared_ptr<const JobData>> JobData::Load(const v1::JobSpec& spec) {
  const double fraction = spec.data().validation_fraction();
  if (!(fraction >= 0 && fraction < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.validation_fraction, got ", fraction, ", want 0 <= it < 1"));
  }
  if (fraction > 0 && spec.data().has_validation()) {
    return absl::InvalidArgumentError(
        "data, got validation and validation_fraction, want one of them");
  }
  const data::Scaling scaling = ScalingOf(spec.data().scaling());
  std::shared_ptr<JobData> job = absl::WrapUnique(new JobData());
  Loaded training = LoadSource(spec.data().train(), scaling, "data.train");
  if (!training.ok()) return training.status();
  job->training_ = *std::move(training);
  if (spec.data().has_validation()) {
    Loaded validation =
        LoadSource(spec.data().validation(), scaling, "data.validation", job->training_.get());
    if (!validation.ok()) return validation.status();
    job->validation_ = *std::move(validation);
  }
  job->seed_ = spec.seed();
  job->shuffle_ = spec.has_shuffle() ? spec.shuffle() : true;
  job->integer_labels_ = HasClassLabels(spec.loss());
  absl::Status status = job->CheckParts();
  if (!status.ok()) return status;
  job->Split(fraction);
  return job;
}

absl::Status JobData::CheckParts() {
  class_count_ = training_->class_count();
  if (integer_labels_ && class_count_ == 0) return BadLabel(*training_);
  if (validation_ == nullptr) return absl::OkStatus();
  if (validation_->example_shape() != training_->example_shape()) {
    return absl::InvalidArgumentError(
        absl::StrCat(validation_->LabelPlace(0), ": validation example's shape, got ",
                     validation_->example_shape().ToString(), ", want ",
                     training_->example_shape().ToString(), " as in training"));
  }
  const bool tokens = training_->vocabulary() != nullptr;
  if (validation_->label_shape() != training_->label_shape() ||
      (validation_->vocabulary() != nullptr) != tokens) {
    return absl::InvalidArgumentError(absl::StrCat(
        validation_->LabelPlace(0), ": validation example, got labels of shape ",
        validation_->label_shape().ToString(), ", want ", training_->label_shape().ToString(),
        tokens ? " and text" : "", " as in training"));
  }
  if (integer_labels_ && validation_->class_count() == 0) return BadLabel(*validation_);
  class_count_ = class_count_ == 0 || validation_->class_count() == 0
                     ? 0
                     : std::max(class_count_, validation_->class_count());
  return absl::OkStatus();
}

void JobData::Split(double fraction) {
  const uint64_t count = static_cast<uint64_t>(training_->example_count());
  training_count_ = count;
  if (validation_ != nullptr) {
    validation_count_ = static_cast<uint64_t>(validation_->example_count());
  }
  if (!(fraction > 0)) return;
  const double kept = std::floor(static_cast<double>(count) * fraction + 0.5);
  validation_count_ = std::min(static_cast<uint64_t>(kept), count - 1);
  if (validation_count_ == 0) return;
  training_count_ = count - validation_count_;
  validation_ = training_;
  const data::Permutation permutation(count, seed_, RandomStream::kValidationSplit, 0);
  for (uint64_t position = 0; position < count; ++position) {
    std::vector<int64_t>& part = position < training_count_ ? training_part_ : validation_part_;
    part.push_back(static_cast<int64_t>(permutation(position)));
  }
  std::sort(training_part_.begin(), training_part_.end());
  std::sort(validation_part_.begin(), validation_part_.end());
}

int64_t JobData::TrainingExample(uint64_t epoch, uint64_t position) const {
  return TrainingExamples(epoch, position, 1)[0];
}

PooledVector<int64_t> JobData::TrainingExamples(uint64_t epoch, uint64_t first,
                                                uint64_t count) const {
  LOCKSTEP_CHECK(first <= training_count_ && count <= training_count_ - first,
                 "positions of the epoch");
  PooledVector<int64_t> examples(count);
  std::iota(examples.begin(), examples.end(), static_cast<int64_t>(first));
  if (shuffle_) {
    const data::Permutation order(training_count_, seed_, RandomStream::kExampleOrder, epoch);
    for (int64_t& example : examples) {
      example = static_cast<int64_t>(order(static_cast<uint64_t>(example)));
    }
  }
  if (!training_part_.empty()) {
    for (int64_t& example : examples) example = training_part_[example];
  }
  return examples;
}

data::Batch JobData::TrainingBatch(uint64_t epoch, uint64_t first_position,
                                   uint64_t examples) const {
  return data::GatherBatch(*training_, TrainingExamples(epoch, first_position, examples),
                           integer_labels_);
}

data::Batch JobData::ValidationBatch(uint64_t first, uint64_t examples) const {
  LOCKSTEP_CHECK(
      validation_ != nullptr && first <= validation_count_ && examples <= validation_count_ - first,
      "validation examples");
  PooledVector<int64_t> indices(examples);
  std::iota(indices.begin(), indices.end(), static_cast<int64_t>(first));
  if (!validation_part_.empty()) {
    for (int64_t& index : indices) index = validation_part_[index];
  }
  return data::GatherBatch(*validation_, indices, integer_labels_);
}

v1::DataSummary JobData::Summary() const {
  v1::DataSummary summary;
  summary.set_training_examples(training_count_);
  summary.set_validation_examples(validation_count_);
  for (int64_t extent : example_shape().extents()) summary.add_example_shape(extent);
  summary.set_classes(class_count_);
  for (int64_t extent : training_->label_shape().extents()) summary.add_label_shape(extent);
  if (const data::TokenVocabulary* vocabulary = training_->vocabulary()) {
    summary.set_vocabulary(static_cast<uint64_t>(vocabulary->size()));
    summary.set_characters(vocabulary->characters());
  }
  return summary;
}

absl::Status FillDataDigests(v1::JobSpec* spec) {
  absl::Status status = FillSource(spec->mutable_data()->mutable_train());
  if (!status.ok() || !spec->data().has_validation()) return status;
  return FillSource(spec->mutable_data()->mutable_validation());
}

}  // namespace lockstep
