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
#include "engine/model/field_checker.h"
#include "engine/model/layer_fields.h"
#include "engine/model/optimizer_spec.h"
#include "google/protobuf/repeated_field.h"

namespace lockstep {
namespace {

constexpr uint64_t kMaxBatchSize = uint64_t{1} << 24;
constexpr uint64_t kMaxShards = 1024;
constexpr uint64_t kMaxContext = uint64_t{1} << 20;
constexpr uint64_t kMaxStride = uint64_t{1} << 31;
constexpr uint64_t kMaxVocabulary = 65536;
constexpr size_t kMaxNameLength = 128;
// Elements of one example: an index into them fits in 32 bits.
constexpr int64_t kMaxExampleElements = int64_t{1} << 31;
constexpr size_t kProblemsInStatus = 5;
constexpr uint64_t kMaxKeptCheckpoints = 1000;
constexpr int kMaxPriority = 1000;
constexpr uint64_t kMaxRetries = 100;
constexpr uint64_t kMaxLocalSteps = 65536;
constexpr uint64_t kMaxStaleness = 1000000;

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
  const auto check_column = [&](const std::string& field, const std::string& column) {
    if (csv.header() || absl::SimpleAtoi(column, &index)) return;
    checker->Add(path + field, "got a name, want an index such as -1: names need `header: true`");
  };
  if (!csv.label_column().empty()) check_column(".label_column", csv.label_column());
  for (int i = 0; i < csv.label_columns_size(); ++i) {
    check_column(absl::StrCat(".label_columns[", i, "]"), csv.label_columns(i));
  }
  if (!csv.weight_column().empty()) check_column(".weight_column", csv.weight_column());
  if (!csv.label_column().empty() && !csv.label_columns().empty()) {
    checker->Add(path + ".label_columns",
                 "got both label_column and label_columns, want at most one");
  }
  checker->Digest(path + ".sha256", csv.sha256());
}

void CheckText(const v1::TextSource& text, const std::string& path, FieldChecker* checker) {
  checker->Path(path + ".path", text.path());
  checker->WholeNumber(path + ".context", text.context(), 1, kMaxContext);
  checker->WholeNumber(path + ".stride", text.stride(), 1, kMaxStride);
  checker->Fraction(path + ".from", text.from());
  if (!(text.to() > text.from() && text.to() <= 1)) {
    checker->AddRange(path + ".to", text.to(), absl::StrCat("above ", text.from(), ", at most 1"));
  }
  checker->Digest(path + ".sha256", text.sha256());
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
    case v1::SourceChoice::kText:
      CheckText(source.text(), path + ".text", checker);
      break;
    case v1::SourceChoice::SOURCE_NOT_SET:
      checker->Missing(path, "csv, idx or text");
      break;
  }
}

// What text cannot do.
void CheckTextData(const v1::Data& data, FieldChecker* checker) {
  const v1::Scaling& scaling = data.scaling();
  if (scaling.divide_by() != 1 || scaling.mean() != 0 || scaling.standard_deviation() != 1) {
    checker->Add("data.scaling", "got a scaling of text, want none: tokens are no numbers");
  }
  if (data.validation_fraction() > 0 &&
      data.train().text().stride() < data.train().text().context()) {
    checker->Add("data.validation_fraction",
                 "got windows that overlap, so that validation would be on what is trained on; "
                 "want `validation` with a part of its own (from, to)");
  }
}

void CheckData(const v1::Data& data, FieldChecker* checker) {
  if (data.has_train()) {
    CheckSource(data.train(), "data.train", checker);
  } else {
    checker->Missing("data.train", "csv, idx or text");
  }
  if (data.has_validation()) CheckSource(data.validation(), "data.validation", checker);
  checker->Fraction("data.validation_fraction", data.validation_fraction());
  if (data.has_validation() && data.validation_fraction() > 0) {
    checker->Add("data.validation_fraction",
                 "got both validation and validation_fraction, want at most one");
  }
  if (data.train().has_text()) CheckTextData(data, checker);
  checker->Positive("data.scaling.divide_by", data.scaling().divide_by());
  checker->Finite("data.scaling.mean", data.scaling().mean());
  checker->Positive("data.scaling.standard_deviation", data.scaling().standard_deviation());
}

void CheckClassWeights(const google::protobuf::RepeatedField<float>& weights,
                       const std::string& path, FieldChecker* checker) {
  for (int i = 0; i < weights.size(); ++i) {
    checker->NotNegative(absl::StrCat(path, ".class_weights[", i, "]"), weights.Get(i));
  }
}

void CheckLoss(const v1::LossChoice& loss, FieldChecker* checker) {
  switch (loss.loss_case()) {
    case v1::LossChoice::kCrossEntropy: {
      const std::string path = "loss.cross_entropy";
      CheckClassWeights(loss.cross_entropy().class_weights(), path, checker);
      const float smoothing = loss.cross_entropy().label_smoothing();
      if (!(smoothing >= 0 && smoothing <= 1)) {
        checker->AddRange(path + ".label_smoothing", smoothing, "0 to 1");
      }
      return;
    }
    case v1::LossChoice::kNll:
      return CheckClassWeights(loss.nll().class_weights(), "loss.nll", checker);
    case v1::LossChoice::kHuber:
      return checker->Positive("loss.huber.delta", loss.huber().delta());
    case v1::LossChoice::kBceWithLogits:
      return checker->Positive("loss.bce_with_logits.pos_weight",
                               loss.bce_with_logits().pos_weight());
    case v1::LossChoice::LOSS_NOT_SET:
      return checker->Missing("loss", "cross_entropy, mse or another loss");
    default:  // without fields
      return;
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

void CheckDurability(const v1::JobSpec& spec, FieldChecker* checker) {
  checker->UpToOne("audit", spec.audit());
  checker->NotNegative("checkpoint.interval_seconds", spec.checkpoint().interval_seconds());
  checker->WholeNumber("checkpoint.keep", spec.checkpoint().keep(), 1, kMaxKeptCheckpoints);
  const bool validates = spec.data().has_validation() || spec.data().validation_fraction() > 0;
  if (spec.checkpoint().keep_best() && !validates) {
    checker->Add("checkpoint.keep_best",
                 "got true without validation examples, want data.validation or "
                 "data.validation_fraction");
  }
}

void CheckGradientFormat(const v1::JobSpec& spec, FieldChecker* checker) {
  // A peer may send numbers that the enum does not have.
  if (v1::GradientFormat_IsValid(spec.gradient_format())) return;
  checker->AddRange("gradient_format", static_cast<int>(spec.gradient_format()),
                    "float32 (1) or bfloat16 (2)");
}

void CheckQueueing(const v1::JobSpec& spec, FieldChecker* checker) {
  if (spec.priority() < -kMaxPriority || spec.priority() > kMaxPriority) {
    checker->AddRange("priority", spec.priority(),
                      absl::StrCat(-kMaxPriority, " to ", kMaxPriority));
  }
  checker->WholeNumber("retries", spec.retries(), 0, kMaxRetries);
}

// Where shards do not wait for each other each sum is of other parameters than
// the next, so that there is nothing to compare one with.
void CheckWithoutWaiting(const v1::JobSpec& spec, FieldChecker* checker) {
  const char* const mode = spec.consistency().has_async() ? "async" : "bounded_staleness";
  if (spec.audit() > 0) {
    checker->AddRange("audit", spec.audit(), absl::StrCat("0 with consistency.", mode));
  }
  if (spec.tensor_digests().shards()) {
    checker->Add("tensor_digests.shards",
                 absl::StrCat("got true, want false with consistency.", mode));
  }
}

void CheckConsistency(const v1::JobSpec& spec, FieldChecker* checker) {
  if (spec.consistency().has_bounded_staleness()) {
    checker->WholeNumber("consistency.bounded_staleness", spec.consistency().bounded_staleness(), 0,
                         kMaxStaleness);
  }
  if (spec.consistency().has_async() || spec.consistency().has_bounded_staleness()) {
    CheckWithoutWaiting(spec, checker);
  }
  if (!spec.consistency().has_local_sgd()) return;
  const v1::LocalSgd& local = spec.consistency().local_sgd();
  const std::string path = "consistency.local_sgd";
  checker->WholeNumber(path + ".steps", local.steps(), 1, kMaxLocalSteps);
  if (local.outer().has_nesterov()) {
    checker->Positive(path + ".outer.nesterov.learning_rate",
                      local.outer().nesterov().learning_rate());
    checker->Fraction(path + ".outer.nesterov.momentum", local.outer().nesterov().momentum());
  }
}

void CheckFork(const v1::JobSpec& spec, FieldChecker* checker) {
  const v1::Fork& fork = spec.forked_from();
  checker->Digest("forked_from.checkpoint_sha256", fork.checkpoint_sha256());
  checker->Digest("forked_from.model_sha256", fork.model_sha256());
  if (!spec.init_from().empty()) {
    checker->Add("init_from", "got a file and another job to go on from, want at most one");
  }
  if (spec.has_steps() && spec.steps() <= fork.step()) {
    checker->AddRange("steps", spec.steps(),
                      absl::StrCat("more than the ", fork.step(), " steps of ", fork.job_id()));
  }
}

void CheckExtents(const std::string& path, const google::protobuf::RepeatedField<int64_t>& extents,
                  FieldChecker* checker) {
  int64_t elements = 1;
  for (int64_t extent : extents) {
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
  if (summary.example_shape().empty()) {
    checker->Missing("data_summary.example_shape", "at least one axis");
  }
  CheckExtents("data_summary.example_shape", summary.example_shape(), checker);
  CheckExtents("data_summary.label_shape", summary.label_shape(), checker);
  checker->WholeNumber("data_summary.vocabulary", summary.vocabulary(), 0, kMaxVocabulary);
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
  if (source.has_text() && source.text().sha256().empty()) {
    checker->Missing(path + ".text.sha256", kWanted);
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
  checker.AddAll(CheckLayerFields(spec));
  CheckLoss(spec.loss(), &checker);
  CheckTraining(spec, &checker);
  CheckLength(spec, &checker);
  checker.WholeNumber("batch_size", spec.batch_size(), 1, kMaxBatchSize);
  CheckShardsAndWorkers(spec, &checker);
  CheckDurability(spec, &checker);
  CheckGradientFormat(spec, &checker);
  checker.OptionalPath("init_from", spec.init_from());
  CheckQueueing(spec, &checker);
  CheckConsistency(spec, &checker);
  checker.Digest("init_from_sha256", spec.init_from_sha256());
  if (spec.has_data_summary()) CheckDataSummary(spec, &checker);
  if (spec.has_forked_from()) CheckFork(spec, &checker);
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
