// Collects what is wrong with the fields of a specification: one method per
// kind of rule, each with the field's path from JobSpec's top.
#ifndef LOCKSTEP_ENGINE_MODEL_FIELD_CHECKER_H_
#define LOCKSTEP_ENGINE_MODEL_FIELD_CHECKER_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/model/job_spec.h"

namespace lockstep {

// Counts of steps fit in SQLite's signed integers, and sums of two do too.
inline constexpr uint64_t kMaxSteps = uint64_t{1} << 62;

class FieldChecker {
 public:
  std::vector<FieldProblem> Take() && { return std::move(problems_); }

  void Add(std::string path, std::string message) {
    problems_.push_back({std::move(path), std::move(message), ""});
  }
  void AddAll(std::vector<FieldProblem> problems) {
    std::move(problems.begin(), problems.end(), std::back_inserter(problems_));
  }
  template <typename T>
  void AddRange(std::string path, T got, std::string wanted) {
    std::string message = absl::StrCat("got ", got, ", want ", wanted);
    problems_.push_back({std::move(path), std::move(message), std::move(wanted)});
  }
  void Missing(std::string path, absl::string_view wanted) {
    Add(std::move(path), absl::StrCat("missing, want ", wanted));
  }

  // Returns whether it is in range.
  bool WholeNumber(std::string path, uint64_t got, uint64_t least, uint64_t most) {
    if (got >= least && got <= most) return true;
    AddRange(std::move(path), got, absl::StrCat(least, " to ", most));
    return false;
  }
  // These also refuse infinity and NaN.
  template <typename T>
  void Positive(std::string path, T got) {
    if (!(std::isfinite(got) && got > 0)) AddRange(std::move(path), got, "a finite number > 0");
  }
  template <typename T>
  void NotNegative(std::string path, T got) {
    if (!(std::isfinite(got) && got >= 0)) AddRange(std::move(path), got, "a finite number >= 0");
  }
  template <typename T>
  void Fraction(std::string path, T got) {
    if (!(got >= 0 && got < 1)) AddRange(std::move(path), got, "0 <= it < 1");
  }
  template <typename T>
  void UpToOne(std::string path, T got) {
    if (!(got >= 0 && got <= 1)) AddRange(std::move(path), got, "0 to 1");
  }
  template <typename T>
  void BetweenZeroAndOne(std::string path, T got) {
    if (!(got > 0 && got < 1)) AddRange(std::move(path), got, "0 < it < 1");
  }
  template <typename T>
  void Finite(std::string path, T got) {
    if (!std::isfinite(got)) AddRange(std::move(path), got, "a finite number");
  }

  void Path(std::string path, absl::string_view got) {
    if (got.empty()) {
      Missing(std::move(path), "a file's path");
    } else {
      OptionalPath(std::move(path), got);
    }
  }
  void OptionalPath(std::string path, absl::string_view got) {
    if (got.size() > kMaxPathLength) {
      AddRange(std::move(path), absl::StrCat(got.size(), " bytes"),
               absl::StrCat("at most ", kMaxPathLength));
    } else if (got.find('\0') != absl::string_view::npos) {
      Add(std::move(path), "got a path with a NUL byte, want one without");
    }
  }
  // Empty or 64 lower-case hexadecimal digits.
  void Digest(std::string path, absl::string_view got) {
    const bool hex = std::all_of(got.begin(), got.end(), [](char c) {
      return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
    });
    if (!got.empty() && (!hex || got.size() != kSha256HexLength)) {
      AddRange(std::move(path), absl::StrCat(got.size(), " bytes"),
               "64 hexadecimal digits in lower case");
    }
  }

 private:
  // A path is no longer than the system allows.
  static constexpr size_t kMaxPathLength = 4096;
  static constexpr size_t kSha256HexLength = 64;

  std::vector<FieldProblem> problems_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_FIELD_CHECKER_H_
