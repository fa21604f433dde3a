#include "engine/data/text_dataset.h"

#include <algorithm>
#include <cmath>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "engine/data/data_file.h"

namespace lockstep::data {
namespace {

absl::StatusOr<std::string> ReadAll(DataFile* file) {
  std::string text;
  while (true) {
    const size_t begin = text.size();
    text.resize(begin + std::max(begin / 2, kFileBlockBytes));
    absl::StatusOr<size_t> got = file->Read(text.data() + begin, text.size() - begin);
    if (!got.ok()) return got.status();
    const bool ended = begin + *got < text.size();
    text.resize(begin + *got);
    if (ended) return text;
  }
}

absl::Status CheckOptions(const TextOptions& options) {
  if (options.context < 1 || options.stride < 1) {
    return absl::InvalidArgumentError(absl::StrCat(options.path, ": got context ", options.context,
                                                   " and stride ", options.stride,
                                                   ", want at least 1 of each"));
  }
  if (options.from >= 0 && options.from < options.to && options.to <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(options.path, ": got the part from ", options.from,
                                                 " to ", options.to, ", want 0 <= from < to <= 1"));
}

absl::StatusOr<std::shared_ptr<const TokenVocabulary>> VocabularyOf(const TextOptions& options,
                                                                    absl::string_view text) {
  if (options.tokens == TextTokens::kBytes) {
    return std::make_shared<const TokenVocabulary>(TokenVocabulary::Bytes());
  }
  absl::StatusOr<TokenVocabulary> own = TokenVocabulary::OfCharacters(text, options.path);
  if (!own.ok()) return own.status();
  return std::make_shared<const TokenVocabulary>(*std::move(own));
}

int64_t PlaceOf(double fraction, size_t tokens) {
  return static_cast<int64_t>(std::floor(static_cast<double>(tokens) * fraction + 0.5));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TextDataset>> TextDataset::Load(
    const TextOptions& options, std::shared_ptr<const TokenVocabulary> vocabulary) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<DataFile>> file = DataFile::Open(options.path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<std::string> text = ReadAll(file->get());
  if (!text.ok()) return text.status();
  absl::StatusOr<std::string> sha256 = (*file)->FinishSha256();
  if (!sha256.ok()) return sha256.status();
  std::unique_ptr<TextDataset> dataset = absl::WrapUnique(new TextDataset());
  if (vocabulary == nullptr) {
    auto own = VocabularyOf(options, *text);
    if (!own.ok()) return own.status();
    vocabulary = *std::move(own);
  }
  const auto tokens = vocabulary->Encode(*text, options.path);
  if (!tokens.ok()) return tokens.status();
  const int64_t begin = PlaceOf(options.from, tokens->size());
  const int64_t end = PlaceOf(options.to, tokens->size());
  if (end - begin < options.context + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.path, ": tokens in the part from ", options.from, " to ", options.to,
                     ", got ", end - begin, ", want at least context + 1 = ", options.context + 1));
  }
  dataset->path_ = options.path;
  dataset->sha256_ = *std::move(sha256);
  dataset->vocabulary_ = std::move(vocabulary);
  dataset->tokens_.assign(tokens->begin() + begin, tokens->begin() + end);
  dataset->window_shape_ = Shape{options.context};
  dataset->stride_ = options.stride;
  dataset->example_count_ = (end - begin - options.context - 1) / options.stride + 1;
  return dataset;
}

template <typename T>
void TextDataset::CopyWindow(int64_t first, T* out) const {
  for (int64_t i = 0; i < window_shape_.dim(0); ++i) out[i] = static_cast<T>(tokens_[first + i]);
}

void TextDataset::CopyFeatures(int64_t example, float* out) const {
  CopyWindow(example * stride_, out);
}
void TextDataset::CopyTokens(int64_t example, int64_t* out) const {
  CopyWindow(example * stride_, out);
}
void TextDataset::CopyClassLabels(int64_t example, int64_t* out) const {
  CopyWindow(example * stride_ + 1, out);
}
void TextDataset::CopyTargets(int64_t example, float* out) const {
  CopyWindow(example * stride_ + 1, out);
}

std::string TextDataset::LabelPlace(int64_t example) const {
  return absl::StrCat(path_, ": window ", example);
}

}  // namespace lockstep::data
