#include "engine/data/token_vocabulary.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/check.h"
#include "engine/data/utf8.h"

namespace lockstep::data {
namespace {

constexpr int64_t kByteValues = 256;
constexpr uint32_t kCodePoints = 0x110000;

// "source:line:column: what", for the byte at `offset`.
absl::Status ErrorAt(absl::string_view text, size_t offset, absl::string_view source,
                     absl::string_view what) {
  const absl::string_view before = text.substr(0, offset);
  const size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t last_end = before.rfind('\n');
  const size_t column = last_end == absl::string_view::npos ? offset + 1 : offset - last_end;
  return absl::InvalidArgumentError(absl::StrCat(source, ":", line, ":", column, ": ", what));
}

absl::Status NoUtf8(absl::string_view text, size_t offset, absl::string_view source) {
  return ErrorAt(text, offset, source,
                 absl::StrFormat("text, got the byte 0x%02x, want UTF-8 (or `tokens: bytes`)",
                                 static_cast<uint8_t>(text[offset])));
}

// Whether each code point occurs.
absl::StatusOr<std::vector<bool>> CharactersOf(absl::string_view text, absl::string_view source) {
  std::vector<bool> occurs(kCodePoints);
  for (size_t i = 0; i < text.size();) {
    const absl::string_view rest = text.substr(i);
    const size_t length = Utf8Length(rest);
    if (length == 0) return NoUtf8(text, i, source);
    occurs[Utf8CodePoint(rest)] = true;
    i += length;
  }
  return occurs;
}

}  // namespace

TokenVocabulary TokenVocabulary::Bytes() {
  TokenVocabulary vocabulary;
  vocabulary.size_ = kByteValues;
  return vocabulary;
}

absl::StatusOr<TokenVocabulary> TokenVocabulary::OfCharacters(absl::string_view text,
                                                              absl::string_view source) {
  absl::StatusOr<std::vector<bool>> occurs = CharactersOf(text, source);
  if (!occurs.ok()) return occurs.status();
  TokenVocabulary vocabulary;
  for (uint32_t code_point = 0; code_point < kCodePoints; ++code_point) {
    if (!(*occurs)[code_point]) continue;
    vocabulary.tokens_.resize(code_point + 1, -1);
    vocabulary.tokens_[code_point] = static_cast<int32_t>(vocabulary.code_points_.size());
    vocabulary.code_points_.push_back(code_point);
    AppendUtf8(code_point, &vocabulary.characters_);
  }
  vocabulary.size_ = static_cast<int64_t>(vocabulary.code_points_.size());
  if (vocabulary.size_ >= 1 && vocabulary.size_ <= kMaxVocabulary) return vocabulary;
  return absl::InvalidArgumentError(
      absl::StrCat(source, ": distinct characters, got ", vocabulary.size_, ", want 1 to ",
                   kMaxVocabulary, vocabulary.size_ == 0 ? "" : "; use `tokens: bytes`"));
}

absl::StatusOr<std::vector<uint16_t>> TokenVocabulary::Encode(absl::string_view text,
                                                              absl::string_view source) const {
  std::vector<uint16_t> tokens;
  if (code_points_.empty()) {
    tokens.reserve(text.size());
    for (char byte : text) tokens.push_back(static_cast<uint8_t>(byte));
    return tokens;
  }
  for (size_t i = 0; i < text.size();) {
    const absl::string_view rest = text.substr(i);
    const size_t length = Utf8Length(rest);
    if (length == 0) return NoUtf8(text, i, source);
    const uint32_t code_point = Utf8CodePoint(rest);
    const int32_t token = code_point < tokens_.size() ? tokens_[code_point] : -1;
    if (token < 0) {
      return ErrorAt(
          text, i, source,
          absl::StrCat("character, got \"", absl::Utf8SafeCEscape(rest.substr(0, length)),
                       "\", want one of the ", size_, " of the training text"));
    }
    tokens.push_back(static_cast<uint16_t>(token));
    i += length;
  }
  return tokens;
}

std::string TokenVocabulary::Text(int64_t token) const {
  LOCKSTEP_CHECK(token >= 0 && token < size_, absl::StrCat("token ", token, " of ", size_));
  std::string text;
  if (code_points_.empty()) {
    text.push_back(static_cast<char>(token));
  } else {
    AppendUtf8(code_points_[token], &text);
  }
  return text;
}

}  // namespace lockstep::data
