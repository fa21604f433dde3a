// Cuts a line of comma-separated values into its fields.
#ifndef LOCKSTEP_ENGINE_DATA_CSV_FIELDS_H_
#define LOCKSTEP_ENGINE_DATA_CSV_FIELDS_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace lockstep::data {

struct CsvField {
  // Without the spaces and tabs around it and without its quotes; a quote
  // inside quotes still stands twice.
  absl::string_view text;
  // Of its first byte in the line, from 1.
  size_t column = 0;
};

// Threads: one thread at a time. An empty line has one empty field.
class CsvFields {
 public:
  // Requires: the line outlives the object and its fields.
  explicit CsvFields(absl::string_view line) : line_(line) {}

  // Takes the next field. False: there is none, or `problem()` says what is
  // wrong with it, at `field->column`.
  bool Next(CsvField* field);

  // "quote, got ..., want ..."; null: all is well.
  const char* problem() const { return problem_; }

 private:
  bool Quoted(CsvField* field, size_t begin);
  void Plain(CsvField* field, size_t begin);
  size_t SkipSpaces(size_t position) const;

  const absl::string_view line_;
  size_t next_ = 0;  // where the next field begins; beyond the line's end: no more
  const char* problem_ = nullptr;
};

// The field's text with doubled quotes made single.
std::string UnquotedText(const CsvField& field);

}  // namespace lockstep::data

#endif  // LOCKSTEP_ENGINE_DATA_CSV_FIELDS_H_
