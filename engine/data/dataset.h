// Labelled examples in memory, and batches of them. Where they come from is
// the business of csv_dataset, idx_dataset and text_dataset.
#ifndef LOCKSTEP_ENGINE_DATA_DATASET_H_
#define LOCKSTEP_ENGINE_DATA_DATASET_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/types/span.h"
#include "engine/shape.h"
#include "engine/tensor.h"

namespace lockstep::data {

class TokenVocabulary;

// One more than the greatest label that counts as a class: the widest output
// that a model can have.
inline constexpr int64_t kMaxClasses = int64_t{1} << 24;

// The class that a label names: the label itself where it is whole and in
// [0, kMaxClasses), otherwise none.
std::optional<int64_t> LabelAsClass(float label);

// Immutable once loaded. Threads: all calls from any thread.
// Requires of every call: 0 <= example < example_count().
class Dataset {
 public:
  virtual ~Dataset() = default;

  // At least 1.
  virtual int64_t example_count() const = 0;
  // Extents of one example's features; at least one element.
  virtual const Shape& example_shape() const = 0;
  // Extents of one example's labels; [] where it has one.
  virtual const Shape& label_shape() const = 0;
  // What the features stand for where they are tokens; null: they are numbers.
  virtual std::shared_ptr<const TokenVocabulary> shared_vocabulary() const { return nullptr; }
  const TokenVocabulary* vocabulary() const { return shared_vocabulary().get(); }
  // Writes the example's scaled features, example_shape().element_count() values.
  virtual void CopyFeatures(int64_t example, float* out) const = 0;
  // The same as tokens. Requires: vocabulary() is not null.
  virtual void CopyTokens(int64_t example, int64_t* out) const;
  // 1 + the greatest label (for tokens: the vocabulary's size) where every label
  // is a class; otherwise 0.
  virtual uint64_t class_count() const = 0;
  // Writes the example's labels, label_shape().element_count() of them.
  // Requires: class_count() > 0.
  virtual void CopyClassLabels(int64_t example, int64_t* out) const = 0;
  // The labels as numbers.
  virtual void CopyTargets(int64_t example, float* out) const = 0;
  // What the example's loss is multiplied by.
  virtual bool has_weights() const { return false; }
  virtual float Weight(int64_t) const { return 1; }
  // Where the example's label stands, for messages: "file.csv:12".
  virtual std::string LabelPlace(int64_t example) const = 0;
};

// Shapes: features [n, ...example_shape], float32 numbers or int64 tokens;
// labels [n, ...label_shape], int64 classes or float32 targets; weights [n]
// float32, undefined where the dataset has none.
struct Batch {
  Tensor features;
  Tensor labels;
  Tensor weights;
};

// The examples in the given order; any may appear more than once.
// Requires: with integer_labels, dataset.class_count() > 0.
Batch GatherBatch(const Dataset& dataset, absl::Span<const int64_t> examples, bool integer_labels);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_DATASET_H_
