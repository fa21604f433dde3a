#include "engine/model/job_spec.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "engine/model/field_checker.h"
#include "engine/model/optimizer_spec.h"

namespace lockstep {
namespace {

constexpr uint64_t kMaxBatchSize = uint64_t{1} << 24;
constexpr uint64_t kMaxOutFeatures = uint64_t{1} << 24;
constexpr uint64_t kMaxShards = 1024;
constexpr int kMaxLayers = 10000;
constexpr size_t kMaxNameLength = 128;
// Elements of one example: an index into them fits in 32 bits.
constexpr int64_t kMaxExampleElements = int64_t{1} << 31;
constexpr size_t kProblemsInStatus = 5;

// The rules, one function per message.

void CheckName(const std::string& name, FieldChecker* checker) {
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

void CheckCsv(const v1::CsvSource& csv, const std::string& path, FieldChecker* checker) {
  checker->Path(path + ".path", csv.path());
  int64_t index = 0;
  if (!csv.header() && !absl::SimpleAtoi(csv.label_column(), &index)) {
    checker->Add(path + ".label_column",
                 "got a name, want an index such as -1: names need `header: true`");
  }
  checker->Digest(path + ".sha256", csv.sha256());
}

void CheckSource(const v1::SourceChoice& source, const std::string& path, FieldChecker* checker) {
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

void CheckData(const v1::Data& data, FieldChecker* checker) {
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

void CheckModel(const v1::JobSpec& spec, FieldChecker* checker) {
  if (spec.model().empty()) return checker->Missing("model", "at least one layer");
  if (spec.model_size() > kMaxLayers) {
    return checker->AddRange("model", absl::StrCat(spec.model_size(), " layers"),
                             absl::StrCat("at most ", kMaxLayers));
  }
  for (int i = 0; i < spec.model_size(); ++i) {
    const v1::LayerChoice& layer = spec.model(i);
    const std::string path = absl::StrCat("model[", i, "]");
    if (layer.layer_case() == v1::LayerChoice::LAYER_NOT_SET) {
      checker->Missing(path, "a layer: linear, relu, tanh, sigmoid or flatten");
    } else if (layer.has_linear()) {
      checker->WholeNumber(path + ".linear.out_features", layer.linear().out_features(), 1,
                           kMaxOutFeatures);
    }
  }
}

void CheckLength(const v1::JobSpec& spec, FieldChecker* checker) {
  if (spec.has_epochs()) checker->WholeNumber("epochs", spec.epochs(), 1, kMaxSteps);
  if (spec.has_steps()) checker->WholeNumber("steps", spec.steps(), 1, kMaxSteps);
  if (spec.has_epochs() && spec.has_steps()) {
    checker->Add("steps", "got both epochs and steps, want exactly one");
  } else if (!spec.has_epochs() && !spec.has_steps()) {
    checker->Missing("epochs", "exactly one of epochs and steps");
  }
}

void CheckShardsAndWorkers(const v1::JobSpec& spec, FieldChecker* checker) {
  if (!checker->WholeNumber("shards", spec.shards(), 1, kMaxShards)) return;
  const v1::Workers& workers = spec.workers();
  const bool max_in_range = checker->WholeNumber("workers.max", workers.max(), 1, spec.shards());
  checker->WholeNumber("workers.min", workers.min(), 1,
                       max_in_range ? workers.max() : spec.shards());
}

void CheckExampleShape(const v1::DataSummary& summary, FieldChecker* checker) {
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

void CheckDataSummary(const v1::JobSpec& spec, FieldChecker* checker) {
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
                          FieldChecker* checker) {
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
  FieldChecker checker;
  CheckName(spec.name(), &checker);
  CheckData(spec.data(), &checker);
  CheckModel(spec, &checker);
  if (spec.loss().loss_case() == v1::LossChoice::LOSS_NOT_SET) {
    checker.Missing("loss", "cross_entropy or mse");
  }
  CheckTraining(spec, &checker);
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
  FieldChecker checker;
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
