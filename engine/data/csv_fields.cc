#include "engine/data/csv_fields.h"

#include <algorithm>

#include "absl/strings/str_replace.h"

namespace lockstep::data {

size_t CsvFields::SkipSpaces(size_t position) const {
  while (position < line_.size() && (line_[position] == ' ' || line_[position] == '\t')) ++position;
  return position;
}

bool CsvFields::Next(CsvField* field) {
  if (next_ > line_.size() || problem_ != nullptr) return false;
  const size_t begin = SkipSpaces(next_);
  field->column = begin + 1;
  if (begin < line_.size() && line_[begin] == '"') return Quoted(field, begin);
  Plain(field, begin);
  return true;
}

void CsvFields::Plain(CsvField* field, size_t begin) {
  const size_t comma = std::min(line_.find(',', begin), line_.size());
  size_t end = comma;
  while (end > begin && (line_[end - 1] == ' ' || line_[end - 1] == '\t')) --end;
  field->text = line_.substr(begin, end - begin);
  next_ = comma + 1;
}

bool CsvFields::Quoted(CsvField* field, size_t begin) {
  size_t end = line_.find('"', begin + 1);
  while (end != absl::string_view::npos && end + 1 < line_.size() && line_[end + 1] == '"') {
    end = line_.find('"', end + 2);
  }
  if (end == absl::string_view::npos) {
    problem_ = "quote, got no closing one, want it on the same line";
    return false;
  }
  field->text = line_.substr(begin + 1, end - begin - 1);
  const size_t behind = SkipSpaces(end + 1);
  if (behind < line_.size() && line_[behind] != ',') {
    field->column = behind + 1;
    problem_ = "quoted field, got text behind its closing quote, want a comma";
    return false;
  }
  next_ = behind + 1;
  return true;
}

std::string UnquotedText(const CsvField& field) {
  return absl::StrReplaceAll(field.text, {{"\"\"", "\""}});
}

}  // namespace lockstep::data
