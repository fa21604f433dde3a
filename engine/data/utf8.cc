#include "engine/data/utf8.h"

namespace lockstep::data {

size_t Utf8Length(absl::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // The second byte's range is narrower after these.
  const uint8_t second = byte(1);
  if (first == 0xE0 && second < 0xA0) return 0;  // overlong
  if (first == 0xED && second > 0x9F) return 0;  // surrogates
  if (first == 0xF0 && second < 0x90) return 0;  // overlong
  if (first == 0xF4 && second > 0x8F) return 0;  // beyond U+10FFFF
  return length;
}

uint32_t Utf8CodePoint(absl::string_view text) {
  const size_t length = Utf8Length(text);
  const uint8_t first = static_cast<uint8_t>(text[0]);
  if (length == 1) return first;
  uint32_t code_point = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    code_point = code_point << 6 | (static_cast<uint8_t>(text[i]) & 0x3Fu);
  }
  return code_point;
}

void AppendUtf8(uint32_t code_point, std::string* text) {
  if (code_point < 0x80) {
    text->push_back(static_cast<char>(code_point));
    return;
  }
  const int length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  const uint32_t mark = 0xF00u >> length & 0xFFu;  // as many leading ones as bytes
  text->push_back(static_cast<char>(mark | code_point >> (6 * (length - 1))));
  for (int i = length - 2; i >= 0; --i) {
    text->push_back(static_cast<char>(0x80u | (code_point >> (6 * i) & 0x3Fu)));
  }
}

}  // namespace lockstep::data
