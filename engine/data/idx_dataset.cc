#include "engine/data/idx_dataset.h"

#include <algorithm>
#include <cmath>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "engine/data/idx_file.h"

namespace lockstep::data {
namespace {

constexpr int kGreatestRank = 255;  // of the format: it stands in a byte

}  // namespace

absl::StatusOr<std::unique_ptr<IdxDataset>> IdxDataset::Load(const IdxOptions& options) {
  std::unique_ptr<IdxDataset> dataset = absl::WrapUnique(new IdxDataset());
  for (int raw = 0; raw < 256; ++raw) {
    dataset->scaled_[raw] = options.scaling.Apply(static_cast<float>(raw));
    if (!std::isfinite(dataset->scaled_[raw])) {
      return absl::InvalidArgumentError(absl::StrCat(
          "scaling, got ", dataset->scaled_[raw], " for the byte ", raw, ", want a finite value"));
    }
  }
  absl::StatusOr<IdxFile> labels = ReadIdxFile(options.labels_path, 1, 1);
  if (!labels.ok()) return labels.status();
  absl::StatusOr<IdxFile> images = ReadIdxFile(options.images_path, 2, kGreatestRank);
  if (!images.ok()) return images.status();
  if (labels->extents[0] != images->extents[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.labels_path, ": labels, got ", labels->extents[0], ", want ",
                     images->extents[0], " as in ", options.images_path));
  }
  images->extents.erase(images->extents.begin());
  dataset->example_shape_ = Shape(std::move(images->extents));
  dataset->example_size_ = dataset->example_shape_.element_count();
  dataset->pixels_ = std::move(images->elements);
  dataset->labels_ = std::move(labels->elements);
  dataset->class_count_ =
      uint64_t{1} + *std::max_element(dataset->labels_.begin(), dataset->labels_.end());
  dataset->labels_path_ = options.labels_path;
  dataset->images_sha256_ = std::move(images->sha256);
  dataset->labels_sha256_ = std::move(labels->sha256);
  return dataset;
}

void IdxDataset::CopyFeatures(int64_t example, float* out) const {
  const uint8_t* raw = pixels_.data() + example * example_size_;
  for (int64_t i = 0; i < example_size_; ++i) out[i] = scaled_[raw[i]];
}

std::string IdxDataset::LabelPlace(int64_t example) const {
  return absl::StrCat(labels_path_, ": label ", example);
}

}  // namespace lockstep::data
