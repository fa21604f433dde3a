#include "engine/data/csv_dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "engine/data/csv_fields.h"
#include "engine/data/data_file.h"
#include "engine/data/line_reader.h"
#include "engine/data/nearest_name.h"

namespace lockstep::data {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Of text from a file: printable and not endless.
std::string ForMessage(absl::string_view text) {
  constexpr size_t kMost = 40;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMost)),
                      text.size() > kMost ? "...\"" : "\"");
}

// Up to seven digits, perhaps behind a minus: exact in float32, and by far the
// most of what real files hold. False: something else.
bool ParseSmallInteger(absl::string_view text, float* value) {
  const bool negative = absl::StartsWith(text, "-");
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 7) return false;
  int32_t whole = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    whole = whole * 10 + (c - '0');
  }
  *value = negative ? -static_cast<float>(whole) : static_cast<float>(whole);
  return true;
}

// Abseil reads hexadecimal too ("0x10"), which no data file means.
bool ParseNumber(absl::string_view text, float* value) {
  if (ParseSmallInteger(text, value)) return true;
  return text.find_first_of("xX") == absl::string_view::npos && absl::SimpleAtof(text, value);
}

uint64_t CountClasses(const std::vector<float>& labels) {
  int64_t greatest = -1;
  for (float label : labels) {
    const std::optional<int64_t> label_class = LabelAsClass(label);
    if (!label_class.has_value()) return 0;
    greatest = std::max(greatest, *label_class);
  }
  return static_cast<uint64_t>(greatest + 1);
}

}  // namespace

// Fills a dataset line by line.
class CsvReader {
 public:
  CsvReader(const CsvOptions& options, DataFile* file)
      : options_(options),
        file_(file),
        lines_(file, options.path),
        dataset_(absl::WrapUnique(new CsvDataset())) {}

  absl::StatusOr<std::unique_ptr<CsvDataset>> Read() {
    absl::string_view line;
    while (true) {
      absl::StatusOr<bool> more = lines_.Next(&line);
      if (!more.ok()) return more.status();
      if (!*more) return Finish();
      if (lines_.line_number() == 1) absl::ConsumePrefix(&line, kByteOrderMark);
      absl::Status status = ReadLine(line);
      if (!status.ok()) return status;
    }
  }

 private:
  static constexpr int64_t kFeature = -1;
  static constexpr int64_t kWeight = -2;

  absl::Status ReadLine(absl::string_view line) {
    if (line.empty()) {
      if (blank_line_ == 0) blank_line_ = lines_.line_number();
      return absl::OkStatus();
    }
    if (blank_line_ != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(options_.path, ":", blank_line_, ":1: line, got a blank one, want values"));
    }
    if (columns_ > 0) return ReadRow(line);
    absl::Status status = ReadColumns(line);
    if (!status.ok() || options_.header) return status;
    return ReadRow(line);
  }

  // Learns from the first line how many columns there are and which is the label.
  absl::Status ReadColumns(absl::string_view line) {
    std::vector<std::string> names;
    CsvFields fields(line);
    CsvField field;
    while (fields.Next(&field)) names.push_back(UnquotedText(field));
    if (fields.problem() != nullptr) return Error(field.column, fields.problem());
    columns_ = static_cast<int64_t>(names.size());
    dataset_->first_line_ = lines_.line_number() + (options_.header ? 1 : 0);
    return AssignColumns(names);
  }

  absl::Status AssignColumns(const std::vector<std::string>& names) {
    std::vector<std::string> labels = options_.label_columns;
    if (labels.empty()) labels = {"-1"};
    const bool weighted = !options_.weight_column.empty();
    label_count_ = static_cast<int64_t>(labels.size());
    const int64_t least = label_count_ + (weighted ? 2 : 1);
    if (columns_ < least) {
      return Error(1, absl::StrCat("columns, got ", columns_, ", want at least ", least, ": ",
                                   least == 2 ? "a feature and the label"
                                              : "a feature, the labels and the weight"));
    }
    roles_.assign(columns_, kFeature);
    for (int64_t i = 0; i < label_count_; ++i) {
      absl::Status status = AssignColumn("label column", labels[i], names, i);
      if (!status.ok()) return status;
    }
    dataset_->example_shape_ = Shape{columns_ - least + 1};
    if (label_count_ > 1) dataset_->label_shape_ = Shape{label_count_};
    if (!weighted) return absl::OkStatus();
    return AssignColumn("weight column", options_.weight_column, names, kWeight);
  }

  absl::Status AssignColumn(const char* what, const std::string& wanted,
                            const std::vector<std::string>& names, int64_t role) {
    int64_t column = 0;
    absl::Status status = FindColumn(what, wanted, names, &column);
    if (!status.ok()) return status;
    if (roles_[column] != kFeature) {
      return Error(1, absl::StrCat(what, ", got ", ForMessage(wanted),
                                   ", which is named before, want another column"));
    }
    roles_[column] = role;
    return absl::OkStatus();
  }

  absl::Status FindColumn(const char* what, const std::string& wanted,
                          const std::vector<std::string>& names, int64_t* column) {
    const auto found = std::find(names.begin(), names.end(), wanted);
    if (options_.header && found != names.end()) {
      if (std::find(found + 1, names.end(), wanted) != names.end()) {
        return Error(1, absl::StrCat(what, ", got the name ", ForMessage(wanted),
                                     " twice in the header, want it once"));
      }
      *column = found - names.begin();
      return absl::OkStatus();
    }
    int64_t index = 0;
    if (!absl::SimpleAtoi(wanted, &index)) {
      return Error(1, absl::StrCat(what, ", got ", ForMessage(wanted), ", want ",
                                   options_.header ? "a column's name; the nearest is " +
                                                         ForMessage(NearestName(wanted, names))
                                                   : "an index, for the file has no header"));
    }
    if (index < -columns_ || index >= columns_) {
      return Error(1, absl::StrCat(what, ", got ", index, ", want ", -columns_, " to ",
                                   columns_ - 1, " as the file has ", columns_, " columns"));
    }
    *column = index < 0 ? index + columns_ : index;
    return absl::OkStatus();
  }

  absl::Status ReadRow(absl::string_view line) {
    CsvFields fields(line);
    CsvField field;
    int64_t count = 0;
    row_labels_.resize(label_count_);
    for (; fields.Next(&field); ++count) {
      if (count >= columns_) continue;  // a ragged row: counted for the message
      absl::Status status = ReadValue(field, roles_[count]);
      if (!status.ok()) return status;
    }
    if (fields.problem() != nullptr) return Error(field.column, fields.problem());
    if (count == columns_) {
      dataset_->labels_.insert(dataset_->labels_.end(), row_labels_.begin(), row_labels_.end());
      ++dataset_->example_count_;
      return absl::OkStatus();
    }
    return Error(count < columns_ ? line.size() + 1 : field.column,
                 absl::StrCat("fields in the row, got ", count, ", want ", columns_));
  }

  absl::Status ReadValue(const CsvField& field, int64_t role) {
    const char* what = role == kFeature ? "feature" : role == kWeight ? "weight" : "label";
    float value = 0;
    if (!ParseNumber(field.text, &value)) {
      return Error(field.column,
                   absl::StrCat(what, ", got ", ForMessage(field.text), ", want a number"));
    }
    if (role == kFeature) value = options_.scaling.Apply(value);
    if (!std::isfinite(value)) {
      return Error(field.column,
                   absl::StrCat(what, ", got ", ForMessage(field.text),
                                ", want a number that is finite in float32 once scaled"));
    }
    if (role == kFeature) {
      dataset_->features_.push_back(value);
    } else if (role != kWeight) {
      row_labels_[role] = value;
    } else if (value >= 0) {
      dataset_->weights_.push_back(value);
    } else {
      return Error(field.column,
                   absl::StrCat("weight, got ", ForMessage(field.text), ", want 0 or more"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<CsvDataset>> Finish() {
    if (dataset_->example_count_ == 0) {
      return absl::InvalidArgumentError(absl::StrCat(options_.path, ":",
                                                     std::max<int64_t>(lines_.line_number(), 1),
                                                     ":1: rows, got 0, want at least 1"));
    }
    absl::StatusOr<std::string> sha256 = file_->FinishSha256();
    if (!sha256.ok()) return sha256.status();
    dataset_->sha256_ = *std::move(sha256);
    dataset_->path_ = options_.path;
    dataset_->class_count_ = CountClasses(dataset_->labels_);
    return std::move(dataset_);
  }

  // At a column of the present line.
  absl::Status Error(size_t column, absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.path, ":", lines_.line_number(), ":", column, ": ", what));
  }

  const CsvOptions& options_;
  DataFile* const file_;
  LineReader lines_;
  std::unique_ptr<CsvDataset> dataset_;
  int64_t columns_ = 0;  // 0: not known yet
  int64_t label_count_ = 0;
  std::vector<int64_t> roles_;     // by column: kFeature, kWeight, or the label's number
  std::vector<float> row_labels_;  // of the row being read
  int64_t blank_line_ = 0;         // the first one's number; 0: none so far
};

absl::StatusOr<std::unique_ptr<CsvDataset>> CsvDataset::Load(const CsvOptions& options) {
  absl::StatusOr<std::unique_ptr<DataFile>> file = DataFile::Open(options.path);
  if (!file.ok()) return file.status();
  return CsvReader(options, file->get()).Read();
}

void CsvDataset::CopyFeatures(int64_t example, float* out) const {
  const int64_t columns = example_shape_.dim(0);
  std::memcpy(out, features_.data() + example * columns, columns * sizeof(float));
}

void CsvDataset::CopyClassLabels(int64_t example, int64_t* out) const {
  const int64_t count = label_shape_.element_count();
  for (int64_t i = 0; i < count; ++i) {
    out[i] = static_cast<int64_t>(labels_[example * count + i]);
  }
}

void CsvDataset::CopyTargets(int64_t example, float* out) const {
  const int64_t count = label_shape_.element_count();
  std::memcpy(out, labels_.data() + example * count, count * sizeof(float));
}

std::string CsvDataset::LabelPlace(int64_t example) const {
  return absl::StrCat(path_, ":", first_line_ + example);
}

}  // namespace lockstep::data
