#include "engine/model/job_spec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "engine/model/layer_fields.h"

namespace lockstep {
namespace {

constexpr uint64_t kMaxBatchSize = uint64_t{1} << 24;
constexpr uint64_t kMaxShards = 1024;
// A path is no longer than the system allows.
constexpr size_t kMaxPathLength = 4096;
constexpr size_t kMaxNameLength = 128;
constexpr size_t kSha256HexLength = 64;
// Elements of one example: an index into them fits in 32 bits.
constexpr int64_t kMaxExampleElements = int64_t{1} << 31;
// Counts of steps fit in SQLite's signed integers, and sums of two do too.
constexpr uint64_t kMaxSteps = uint64_t{1} << 62;
constexpr size_t kProblemsInStatus = 5;

// Collects problems; one method per kind of rule.
class Checker {
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
  // These four also refuse infinity and NaN.
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
  std::vector<FieldProblem> problems_;
};

// The rules, one function per message.

void CheckName(const std::string& name, Checker* checker) {
  static constexpr char kWanted[] = "1 to 128 characters of A-Z a-z 0-9 . _ -";
  if (name.empty()) return checker->Missing("name", kWanted);
  if (name.size() > kMaxNameLength) {
    return checker->AddRange("name", absl::StrCat(name.size(), " bytes"), kWanted);
  }
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') {
      return checker->Add("name",
                          absl::StrCat("character ", i + 1, " is not allowed, want ", kWanted));
    }
  }
}

void CheckCsv(const v1::CsvSource& csv, const std::string& path, Checker* checker) {
  checker->Path(path + ".path", csv.path());
  int64_t index = 0;
  if (!csv.header() && !absl::SimpleAtoi(csv.label_column(), &index)) {
    checker->Add(path + ".label_column",
                 "got a name, want an index such as -1: names need `header: true`");
  }
  checker->Digest(path + ".sha256", csv.sha256());
}

void CheckSource(const v1::SourceChoice& source, const std::string& path, Checker* checker) {
  switch (source.source_case()) {
    case v1::SourceChoice::kCsv:
      CheckCsv(source.csv(), path + ".csv", checker);
      break;
    case v1::SourceChoice::kIdx:
      checker->Path(path + ".idx.images", source.idx().images());
      checker->Path(path + ".idx.labels", source.idx().labels());
      checker->Digest(path + ".idx.images_sha256", source.idx().images_sha256());
      checker->Digest(path + ".idx.labels_sha256", source.idx().labels_sha256());
      break;
    case v1::SourceChoice::SOURCE_NOT_SET:
      checker->Missing(path, "csv or idx");
      break;
  }
}

void CheckData(const v1::Data& data, Checker* checker) {
  if (data.has_train()) {
    CheckSource(data.train(), "data.train", checker);
  } else {
    checker->Missing("data.train", "csv or idx");
  }
  if (data.has_validation()) CheckSource(data.validation(), "data.validation", checker);
  checker->Fraction("data.validation_fraction", data.validation_fraction());
  if (data.has_validation() && data.validation_fraction() > 0) {
    checker->Add("data.validation_fraction",
                 "got both validation and validation_fraction, want at most one");
  }
  checker->Positive("data.scaling.divide_by", data.scaling().divide_by());
  checker->Finite("data.scaling.mean", data.scaling().mean());
  checker->Positive("data.scaling.standard_deviation", data.scaling().standard_deviation());
}

void CheckSgd(const v1::Sgd& sgd, const std::string& path, Checker* checker) {
  checker->Positive(path + ".learning_rate", sgd.learning_rate());
  checker->Fraction(path + ".momentum", sgd.momentum());
  checker->NotNegative(path + ".weight_decay", sgd.weight_decay());
  if (sgd.nesterov() && sgd.momentum() == 0) {
    checker->Add(path + ".nesterov", "needs momentum, got momentum 0, want momentum > 0");
  }
}

void CheckAdam(const v1::Adam& adam, const std::string& path, Checker* checker) {
  checker->Positive(path + ".learning_rate", adam.learning_rate());
  checker->Fraction(path + ".beta1", adam.beta1());
  checker->Fraction(path + ".beta2", adam.beta2());
  checker->Positive(path + ".epsilon", adam.epsilon());
  checker->NotNegative(path + ".weight_decay", adam.weight_decay());
}

void CheckOptimizer(const v1::OptimizerChoice& optimizer, Checker* checker) {
  switch (optimizer.optimizer_case()) {
    case v1::OptimizerChoice::kSgd:
      return CheckSgd(optimizer.sgd(), "optimizer.sgd", checker);
    case v1::OptimizerChoice::kAdam:
      return CheckAdam(optimizer.adam(), "optimizer.adam", checker);
    case v1::OptimizerChoice::OPTIMIZER_NOT_SET:
      return checker->Missing("optimizer", "sgd or adam");
  }
}

void CheckFinalFactor(const std::string& path, double got, Checker* checker) {
  if (!(got >= 0 && got <= 1)) checker->AddRange(path, got, "0 to 1");
}

void CheckSchedule(const v1::ScheduleChoice& schedule, Checker* checker) {
  const std::string path = "learning_rate_schedule";
  if (schedule.has_step()) {
    checker->WholeNumber(path + ".step.step_size", schedule.step().step_size(), 1, kMaxSteps);
    checker->Positive(path + ".step.gamma", schedule.step().gamma());
  } else if (schedule.has_cosine()) {
    CheckFinalFactor(path + ".cosine.final_factor", schedule.cosine().final_factor(), checker);
  } else if (schedule.has_linear()) {
    CheckFinalFactor(path + ".linear.final_factor", schedule.linear().final_factor(), checker);
  }
}

void CheckLength(const v1::JobSpec& spec, Checker* checker) {
  if (spec.has_epochs()) checker->WholeNumber("epochs", spec.epochs(), 1, kMaxSteps);
  if (spec.has_steps()) checker->WholeNumber("steps", spec.steps(), 1, kMaxSteps);
  if (spec.has_epochs() && spec.has_steps()) {
    checker->Add("steps", "got both epochs and steps, want exactly one");
  } else if (!spec.has_epochs() && !spec.has_steps()) {
    checker->Missing("epochs", "exactly one of epochs and steps");
  }
}

void CheckShardsAndWorkers(const v1::JobSpec& spec, Checker* checker) {
  if (!checker->WholeNumber("shards", spec.shards(), 1, kMaxShards)) return;
  const v1::Workers& workers = spec.workers();
  const bool max_in_range = checker->WholeNumber("workers.max", workers.max(), 1, spec.shards());
  checker->WholeNumber("workers.min", workers.min(), 1,
                       max_in_range ? workers.max() : spec.shards());
}

void CheckExampleShape(const v1::DataSummary& summary, Checker* checker) {
  const std::string path = "data_summary.example_shape";
  if (summary.example_shape().empty()) return checker->Missing(path, "at least one axis");
  int64_t elements = 1;
  for (int64_t extent : summary.example_shape()) {
    if (extent < 1) return checker->AddRange(path, extent, "extents of 1 or more");
    if (extent > kMaxExampleElements / elements) {
      return checker->Add(
          path, absl::StrCat("got more elements than fit, want at most ", kMaxExampleElements));
    }
    elements *= extent;
  }
}

void CheckDataSummary(const v1::JobSpec& spec, Checker* checker) {
  const v1::DataSummary& summary = spec.data_summary();
  // Sums of the two stay far from overflow.
  constexpr uint64_t kMaxExamples = uint64_t{1} << 48;
  const bool examples_in_range = checker->WholeNumber("data_summary.training_examples",
                                                      summary.training_examples(), 1, kMaxExamples);
  checker->WholeNumber("data_summary.validation_examples", summary.validation_examples(), 0,
                       kMaxExamples);
  CheckExampleShape(summary, checker);
  if (!examples_in_range || !spec.has_epochs() || spec.batch_size() == 0) return;
  const uint64_t steps_per_epoch =
      (summary.training_examples() + spec.batch_size() - 1) / spec.batch_size();
  const uint64_t most = kMaxSteps / steps_per_epoch;
  if (spec.epochs() > most) {
    checker->AddRange("epochs", spec.epochs(),
                      absl::StrCat(most, " or fewer with ", steps_per_epoch, " steps each"));
  }
}

void CheckSourceSubmitted(const v1::SourceChoice& source, const std::string& path,
                          Checker* checker) {
  static constexpr char kWanted[] = "the file's SHA-256, which the client fills in";
  if (source.has_csv() && source.csv().sha256().empty()) {
    checker->Missing(path + ".csv.sha256", kWanted);
  }
  if (source.has_idx() && source.idx().images_sha256().empty()) {
    checker->Missing(path + ".idx.images_sha256", kWanted);
  }
  if (source.has_idx() && source.idx().labels_sha256().empty()) {
    checker->Missing(path + ".idx.labels_sha256", kWanted);
  }
}

}  // namespace

std::vector<FieldProblem> ValidateJobSpec(const v1::JobSpec& original) {
  v1::JobSpec spec = original;
  FillJobDefaults(&spec);
  Checker checker;
  CheckName(spec.name(), &checker);
  CheckData(spec.data(), &checker);
  checker.AddAll(CheckLayerFields(spec));
  if (spec.loss().loss_case() == v1::LossChoice::LOSS_NOT_SET) {
    checker.Missing("loss", "cross_entropy or mse");
  }
  CheckOptimizer(spec.optimizer(), &checker);
  CheckSchedule(spec.learning_rate_schedule(), &checker);
  CheckLength(spec, &checker);
  checker.WholeNumber("batch_size", spec.batch_size(), 1, kMaxBatchSize);
  CheckShardsAndWorkers(spec, &checker);
  checker.OptionalPath("init_from", spec.init_from());
  checker.Digest("init_from_sha256", spec.init_from_sha256());
  if (spec.has_data_summary()) CheckDataSummary(spec, &checker);
  return std::move(checker).Take();
}

std::vector<FieldProblem> ValidateSubmittedJobSpec(const v1::JobSpec& spec) {
  std::vector<FieldProblem> problems = ValidateJobSpec(spec);
  Checker checker;
  CheckSourceSubmitted(spec.data().train(), "data.train", &checker);
  CheckSourceSubmitted(spec.data().validation(), "data.validation", &checker);
  if (!spec.init_from().empty() && spec.init_from_sha256().empty()) {
    checker.Missing("init_from_sha256", "the SHA-256 of init_from, which the client fills in");
  }
  if (!spec.has_data_summary()) {
    checker.Missing("data_summary", "what the client found in the data files");
  }
  for (FieldProblem& problem : std::move(checker).Take()) problems.push_back(std::move(problem));
  return problems;
}

absl::Status StatusOfProblems(const std::vector<FieldProblem>& problems) {
  if (problems.empty()) return absl::OkStatus();
  std::vector<std::string> lines;
  for (size_t i = 0; i < std::min(problems.size(), kProblemsInStatus); ++i) {
    lines.push_back(absl::StrCat(problems[i].path, ": ", problems[i].message));
  }
  if (problems.size() > lines.size()) {
    lines.push_back(absl::StrCat("and ", problems.size() - lines.size(), " more"));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "; "));
}

}  // namespace lockstep
