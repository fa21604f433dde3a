#include "engine/data/json_scanner.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lockstep::data {
namespace {

void AppendUtf8(uint32_t code_point, std::string* out) {
  const auto tail = [code_point](int shift) {
    return static_cast<char>(0x80 | ((code_point >> shift) & 0x3F));
  };
  if (code_point < 0x80) {
    out->push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out->append({static_cast<char>(0xC0 | code_point >> 6), tail(0)});
  } else if (code_point < 0x10000) {
    out->append({static_cast<char>(0xE0 | code_point >> 12), tail(6), tail(0)});
  } else {
    out->append({static_cast<char>(0xF0 | code_point >> 18), tail(12), tail(6), tail(0)});
  }
}

// Bytes of the well-formed UTF-8 sequence at the start of `text`; 0: none.
// (Unicode 15, table 3-7.)
size_t Utf8SequenceLength(absl::string_view text) {
  const auto byte = [text](size_t i) -> uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto is_tail = [byte](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint32_t first = byte(0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return is_tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return is_tail(1) && is_tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool too_great = first == 0xF4 && byte(1) > 0x8F;
    return is_tail(1) && is_tail(2) && is_tail(3) && !overlong && !too_great ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      json.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<int>(c));
    } else {
      json.push_back(c);
    }
  }
  return json + "\"";
}

void JsonScanner::SkipSpaces() {
  while (position_ < json_.size() &&
         absl::string_view(" \t\r\n").find(json_[position_]) != absl::string_view::npos) {
    ++position_;
  }
}

absl::Status JsonScanner::Error(absl::string_view what, absl::string_view want) const {
  constexpr size_t kShown = 16;
  const std::string got =
      position_ < json_.size()
          ? absl::StrCat("'", absl::CHexEscape(json_.substr(position_, kShown)), "'")
          : "its end";
  return absl::InvalidArgumentError(absl::StrCat(source_, ": header byte ", position_, ": ", what,
                                                 ", got ", got, ", want ", want));
}

bool JsonScanner::Take(char symbol) {
  SkipSpaces();
  if (position_ >= json_.size() || json_[position_] != symbol) return false;
  ++position_;
  return true;
}

absl::Status JsonScanner::Expect(char symbol) {
  if (Take(symbol)) return absl::OkStatus();
  return Error("JSON", absl::StrCat("'", absl::string_view(&symbol, 1), "'"));
}

absl::Status JsonScanner::End() {
  SkipSpaces();
  return position_ == json_.size() ? absl::OkStatus() : Error("JSON", "its end");
}

absl::StatusOr<uint64_t> JsonScanner::Number() {
  constexpr uint64_t kGreatest = std::numeric_limits<uint64_t>::max();
  SkipSpaces();
  size_t end = position_;
  uint64_t value = 0;
  for (; end < json_.size() && json_[end] >= '0' && json_[end] <= '9'; ++end) {
    const uint64_t digit = static_cast<uint64_t>(json_[end] - '0');
    if (value > (kGreatest - digit) / 10) return Error("number", "one below 2^64");
    value = value * 10 + digit;
  }
  const bool leading_zero = end > position_ + 1 && json_[position_] == '0';
  const bool goes_on =
      end < json_.size() && absl::string_view(".eE").find(json_[end]) != absl::string_view::npos;
  if (end == position_ || leading_zero || goes_on) {
    return Error("number", "a whole one that is not negative");
  }
  position_ = end;
  return value;
}

absl::StatusOr<std::string> JsonScanner::String() {
  absl::Status status = Expect('"');
  if (!status.ok()) return status;
  std::string text;
  while (position_ < json_.size()) {
    const char c = json_[position_];
    if (c == '"') {
      ++position_;
      return text;
    }
    if (c == '\\') {
      ++position_;
      status = Escape(&text);
      if (!status.ok()) return status;
      continue;
    }
    const size_t length = Utf8SequenceLength(json_.substr(position_, 4));
    if (length == 0 || static_cast<unsigned char>(c) < 0x20) {
      return Error("string", "UTF-8 without control characters");
    }
    text.append(json_.data() + position_, length);
    position_ += length;
  }
  return Error("string", "a closing quote");
}

absl::Status JsonScanner::Escape(std::string* out) {
  constexpr absl::string_view kLetters = "\"\\/bfnrt";
  constexpr absl::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (position_ < json_.size() && json_[position_] != 'u') {
    const size_t letter = kLetters.find(json_[position_]);
    if (letter == absl::string_view::npos) return Error("escape", "one of \\\"/bfnrtu");
    out->push_back(kMeanings[letter]);
    ++position_;
    return absl::OkStatus();
  }
  absl::StatusOr<uint32_t> unit = CodeUnit();
  if (!unit.ok()) return unit.status();
  uint32_t code_point = *unit;
  if (code_point >= 0xD800 && code_point <= 0xDFFF) {
    const bool is_high = code_point <= 0xDBFF;
    if (!is_high || !absl::StartsWith(json_.substr(position_), "\\u")) {
      return Error("escape", "both halves of a surrogate pair");
    }
    ++position_;  // the backslash
    unit = CodeUnit();
    if (!unit.ok()) return unit.status();
    if (*unit < 0xDC00 || *unit > 0xDFFF) return Error("escape", "a low surrogate before this");
    code_point = 0x10000 + ((code_point - 0xD800) << 10) + (*unit - 0xDC00);
  }
  AppendUtf8(code_point, out);
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> JsonScanner::CodeUnit() {
  constexpr size_t kLength = 5;  // u and four digits
  const absl::string_view digits = json_.substr(std::min(position_ + 1, json_.size()), 4);
  uint32_t value = 0;
  size_t good = 0;
  for (; good < digits.size(); ++good) {
    const size_t digit = absl::string_view("0123456789abcdef")
                             .find(absl::ascii_tolower(static_cast<unsigned char>(digits[good])));
    if (digit == absl::string_view::npos) break;
    value = value * 16 + static_cast<uint32_t>(digit);
  }
  if (good < 4) return Error("escape", "u and four hexadecimal digits");
  position_ += kLength;
  return value;
}

}  // namespace lockstep::data
