#include "client/job_file/job_preparation.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/data/input_file.h"
#include "engine/data/named_tensor.h"
#include "engine/data/safetensors.h"
#include "engine/data/sha256.h"
#include "engine/model/build_model.h"
#include "engine/model/field_error.h"
#include "engine/model/job_data.h"
#include "engine/model/job_spec.h"
#include "engine/nn/parameter_layout.h"
#include "engine/shape.h"

namespace lockstep::client {
namespace {

// A field that names a file.
struct FileField {
  std::string path;
  std::string* value;
};

void AddSourceFiles(const std::string& path, v1::SourceChoice* source,
                    std::vector<FileField>* files) {
  if (source->has_csv()) {
    files->push_back({path + ".csv.path", source->mutable_csv()->mutable_path()});
  } else if (source->has_idx()) {
    files->push_back({path + ".idx.images", source->mutable_idx()->mutable_images()});
    files->push_back({path + ".idx.labels", source->mutable_idx()->mutable_labels()});
  }
}

std::vector<FileField> FilesOf(v1::JobSpec* spec) {
  std::vector<FileField> files;
  AddSourceFiles("data.train", spec->mutable_data()->mutable_train(), &files);
  if (spec->data().has_validation()) {
    AddSourceFiles("data.validation", spec->mutable_data()->mutable_validation(), &files);
  }
  if (!spec->init_from().empty()) files.push_back({"init_from", spec->mutable_init_from()});
  return files;
}

class Preparation {
 public:
  Preparation(const LayerRegistry& layers, ParsedJobFile* parsed)
      : layers_(layers), parsed_(*parsed), files_(FilesOf(&parsed->spec)) {}

  void Run(const std::string& job_file_path) {
    MakePathsAbsolute(job_file_path);
    CheckFilesCanBeRead();
    if (!parsed_.problems.empty()) return;
    const std::shared_ptr<const JobData> data = LoadData();
    if (data == nullptr) return;
    *parsed_.spec.mutable_data_summary() = data->Summary();
    const absl::StatusOr<ModelPlan> plan = PlanModel(parsed_.spec, data->example_shape(), layers_);
    if (!plan.ok()) return Report(plan.status(), "model");
    if (!parsed_.spec.init_from().empty()) CheckInitFrom(plan->layout);
    if (parsed_.problems.empty()) CheckWhole();
  }

 private:
  void Report(const std::string& path, std::string message) {
    parsed_.problems.push_back({parsed_.positions.Nearest(path), path, std::move(message)});
  }

  // At the field that the status names, or else at `path`.
  void Report(const absl::Status& status, const std::string& path) {
    const std::string named = FieldPathOf(status);
    if (named.empty()) {
      Report(path, std::string(status.message()));
    } else {
      Report(named, FieldMessageOf(status));
    }
  }

  void MakePathsAbsolute(const std::string& job_file_path) {
    std::error_code error;
    const std::filesystem::path job_file = std::filesystem::absolute(job_file_path, error);
    if (error) {
      return Report("", absl::StrCat("the present folder is unknown: ", error.message()));
    }
    for (const FileField& file : files_) {
      *file.value = (job_file.parent_path() / *file.value).lexically_normal().string();
    }
  }

  void CheckFilesCanBeRead() {
    for (const FileField& file : files_) {
      const auto opened = data::InputFile::Open(*file.value);
      if (!opened.ok()) Report(opened.status(), file.path);
    }
  }

  // Null after an error.
  std::shared_ptr<const JobData> LoadData() {
    const absl::Status digests = FillDataDigests(&parsed_.spec);
    if (!digests.ok()) {
      Report(digests, FieldOfFileIn(digests));
      return nullptr;
    }
    absl::StatusOr<std::shared_ptr<const JobData>> data = JobData::Load(parsed_.spec);
    if (!data.ok()) {
      Report(data.status(), FieldOfFileIn(data.status()));
      return nullptr;
    }
    return *std::move(data);
  }

  // The field whose file a message speaks of, for its line; "data" if none.
  // Only where to point depends on it: messages about files name the file.
  std::string FieldOfFileIn(const absl::Status& status) const {
    const FileField* found = nullptr;
    for (const FileField& file : files_) {
      const bool longer = found == nullptr || file.value->size() > found->value->size();
      if (longer && absl::StrContains(status.message(), *file.value)) found = &file;
    }
    return found == nullptr ? "data" : found->path;
  }

  void CheckInitFrom(const nn::ParameterLayout& layout) {
    const std::string& path = parsed_.spec.init_from();
    const auto file = data::ReadSafetensors(path);
    if (!file.ok()) return Report(file.status(), "init_from");
    CheckTensors(layout, file->tensors);
    absl::StatusOr<std::string> digest = data::FileSha256(path);
    if (!digest.ok()) return Report(digest.status(), "init_from");
    parsed_.spec.set_init_from_sha256(*std::move(digest));
  }

  void CheckTensors(const nn::ParameterLayout& layout,
                    const std::vector<data::NamedTensor>& tensors) {
    std::map<std::string, Shape> found;
    for (const data::NamedTensor& tensor : tensors) found[tensor.name] = tensor.tensor.shape();
    for (const nn::ParameterSlot& slot : layout.slots()) {
      const auto match = found.find(slot.name);
      if (match == found.end()) {
        Report("init_from",
               absl::StrCat("tensor ", QuotedForMessage(slot.name),
                            " is not in the file, want shape ", slot.shape.ToString()));
        continue;
      }
      if (match->second != slot.shape) {
        Report("init_from",
               absl::StrCat("tensor ", QuotedForMessage(slot.name), ": got shape ",
                            match->second.ToString(), ", want ", slot.shape.ToString()));
      }
      found.erase(match);
    }
    for (const auto& [name, shape] : found) {
      Report("init_from", absl::StrCat("tensor ", QuotedForMessage(name), " of shape ",
                                       shape.ToString(), " is not in the model"));
    }
  }

  // What the server will check, and what only data_summary shows.
  void CheckWhole() {
    for (const FieldProblem& problem : ValidateSubmittedJobSpec(parsed_.spec)) {
      Report(problem.path, problem.message);
    }
  }

  const LayerRegistry& layers_;
  ParsedJobFile& parsed_;
  const std::vector<FileField> files_;
};

}  // namespace

void PrepareJob(const std::string& job_file_path, const LayerRegistry& layers,
                ParsedJobFile* parsed) {
  Preparation(layers, parsed).Run(job_file_path);
}

}  // namespace lockstep::client
