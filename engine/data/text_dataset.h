// Examples of a language model: windows of consecutive tokens of one text, each
// with the token that follows every one of them.
//
// Example i of a part of n tokens, t[0] to t[n - 1]:
//   features [context]   t[i * stride] to t[i * stride + context - 1]
//   labels   [context]   the same, one token further on
// There are floor((n - context - 1) / stride) + 1 of them.
#ifndef LOCKSTEP_ENGINE_DATA_TEXT_DATASET_H_
#define LOCKSTEP_ENGINE_DATA_TEXT_DATASET_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/data/dataset.h"
#include "engine/data/token_vocabulary.h"

namespace lockstep::data {

enum class TextTokens { kCharacters, kBytes };

struct TextOptions {
  // gunzipped where it ends in ".gz".
  std::string path;
  TextTokens tokens = TextTokens::kCharacters;
  // Tokens of a window, >= 1.
  int64_t context = 0;
  // Tokens from one window's beginning to the next one's, >= 1.
  int64_t stride = 0;
  // The part of the N tokens that is used: those from floor(N * from + 0.5) up
  // to, without, floor(N * to + 0.5). 0 <= from < to <= 1.
  double from = 0;
  double to = 1;
};

// Keeps the part's tokens as 16-bit numbers: overlapping windows cost nothing.
class TextDataset : public Dataset {
 public:
  // Reads the file once. `vocabulary`: that of the text trained on; null: the
  // whole file's own, whatever part is used.
  // Errors: NotFound, PermissionDenied: the file cannot be opened; DataLoss: the
  // gzip data is damaged; InvalidArgument: as TokenVocabulary's, or the part is
  // too short for one window.
  static absl::StatusOr<std::unique_ptr<TextDataset>> Load(
      const TextOptions& options, std::shared_ptr<const TokenVocabulary> vocabulary = nullptr);

  int64_t example_count() const override { return example_count_; }
  const Shape& example_shape() const override { return window_shape_; }
  const Shape& label_shape() const override { return window_shape_; }
  std::shared_ptr<const TokenVocabulary> shared_vocabulary() const override { return vocabulary_; }
  void CopyFeatures(int64_t example, float* out) const override;
  void CopyTokens(int64_t example, int64_t* out) const override;
  uint64_t class_count() const override { return static_cast<uint64_t>(vocabulary_->size()); }
  void CopyClassLabels(int64_t example, int64_t* out) const override;
  void CopyTargets(int64_t example, float* out) const override;
  // "path: window 12".
  std::string LabelPlace(int64_t example) const override;

  // SHA-256 (hex) of the file's bytes as they are on disk.
  const std::string& sha256() const { return sha256_; }

 private:
  TextDataset() = default;

  template <typename T>
  void CopyWindow(int64_t first, T* out) const;

  std::string path_;
  std::string sha256_;
  std::shared_ptr<const TokenVocabulary> vocabulary_;
  std::vector<uint16_t> tokens_;  // of the part
  Shape window_shape_;
  int64_t stride_ = 0;
  int64_t example_count_ = 0;
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_TEXT_DATASET_H_
