// Which number stands for which piece of text in a language model.
#ifndef LOCKSTEP_ENGINE_DATA_TOKEN_VOCABULARY_H_
#define LOCKSTEP_ENGINE_DATA_TOKEN_VOCABULARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockstep::data {

// Token ids fit in 16 bits.
inline constexpr int64_t kMaxVocabulary = 65536;

// Immutable once made. Threads: all calls from any thread.
class TokenVocabulary {
 public:
  // 256 tokens: a byte's value.
  static TokenVocabulary Bytes();
  // The distinct characters (Unicode code points) of `text`, numbered in
  // ascending order. `source` names the text in messages. Errors:
  // InvalidArgument: it is empty or not UTF-8, as "source:line:column: what,
  // got X, want Y" (columns in bytes); more than kMaxVocabulary characters.
  static absl::StatusOr<TokenVocabulary> OfCharacters(absl::string_view text,
                                                      absl::string_view source);

  int64_t size() const { return size_; }
  // The characters in the order of their numbers, in UTF-8; empty for bytes.
  // OfCharacters of it gives this vocabulary again.
  const std::string& characters() const { return characters_; }

  // The text's tokens. Errors: InvalidArgument: no UTF-8, or a character that
  // is not in the vocabulary, with its place in `source`.
  absl::StatusOr<std::vector<uint16_t>> Encode(absl::string_view text,
                                               absl::string_view source) const;

  // The text that a token stands for. Requires: 0 <= token < size().
  std::string Text(int64_t token) const;

 private:
  TokenVocabulary() = default;

  int64_t size_ = 0;
  std::string characters_;
  std::vector<uint32_t> code_points_;  // by token; empty for bytes
  std::vector<int32_t> tokens_;        // by code point; -1: none
};

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_TOKEN_VOCABULARY_H_
