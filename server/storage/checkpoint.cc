#include "server/storage/checkpoint.h"

#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "engine/data/atomic_file.h"
#include "engine/data/model_hash.h"
#include "engine/data/sha256.h"
#include "server/storage/state_files.h"

namespace lockstep::server {
namespace {

constexpr char kOptimizerPrefix[] = "optimizer.";
constexpr char kAveragePrefix[] = "average.";
constexpr char kEnding[] = ".safetensors";
constexpr char kFormatVersion[] = "1";

// All tensors as the file names them. INVALID_ARGUMENT: a name that would read
// back as something else, or twice, or a tensor that the format cannot hold.
absl::StatusOr<std::vector<data::NamedTensor>> TensorsOfFile(const Checkpoint& checkpoint) {
  std::vector<data::NamedTensor> tensors = checkpoint.parameters;
  for (const data::NamedTensor& parameter : checkpoint.parameters) {
    if (absl::StartsWith(parameter.name, kOptimizerPrefix)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "parameter name, got \"", parameter.name, "\", want none beginning with \"optimizer.\""));
    }
  }
  for (const data::NamedTensor& state : checkpoint.optimizer_state) {
    tensors.push_back({kOptimizerPrefix + state.name, state.tensor});
  }
  std::set<std::string> names = {"__metadata__"};
  for (const data::NamedTensor& tensor : tensors) {
    if (tensor.name.empty() || !names.insert(tensor.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor name \"", tensor.name, "\" is empty, reserved or stands twice"));
    }
    if (!tensor.tensor.defined() || tensor.tensor.dtype() != DType::kFloat32) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor \"", tensor.name, "\" is not of float32 numbers"));
    }
  }
  return tensors;
}

std::string Sha256OfPieces(const std::vector<absl::string_view>& pieces) {
  data::Sha256 digest;
  for (const absl::string_view piece : pieces) digest.Update(piece);
  return digest.FinishHex();
}

Checkpoint CheckpointOf(data::SafetensorsFile file, uint64_t step) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.metadata = std::move(file.metadata);
  for (data::NamedTensor& tensor : file.tensors) {
    absl::string_view name = tensor.name;
    if (absl::ConsumePrefix(&name, kOptimizerPrefix)) {
      checkpoint.optimizer_state.push_back({std::string(name), tensor.tensor});
    } else {
      checkpoint.parameters.push_back(std::move(tensor));
    }
  }
  return checkpoint;
}

// The parameters' moving average where there is one, else the parameters.
std::vector<data::NamedTensor> ModelOf(const Checkpoint& checkpoint) {
  std::vector<data::NamedTensor> average;
  for (const data::NamedTensor& state : checkpoint.optimizer_state) {
    absl::string_view name = state.name;
    if (absl::ConsumePrefix(&name, kAveragePrefix)) {
      average.push_back({std::string(name), state.tensor});
    }
  }
  return average.empty() ? checkpoint.parameters : average;
}

}  // namespace

// 12 digits: steps sort as text up to 10^12.
std::string CheckpointFileName(uint64_t step) { return absl::StrFormat("%012d%s", step, kEnding); }

std::string ModelSha256Of(const Checkpoint& checkpoint) {
  return data::ModelSha256(ModelOf(checkpoint));
}

std::string StateSha256Of(const Checkpoint& checkpoint) {
  std::vector<data::NamedTensor> tensors = checkpoint.parameters;
  for (const data::NamedTensor& state : checkpoint.optimizer_state) {
    tensors.push_back({kOptimizerPrefix + state.name, state.tensor});
  }
  return data::ModelSha256(tensors);
}

absl::StatusOr<std::string> JobCheckpointDirectory(const std::string& checkpoints_dir,
                                                   const std::string& job_id) {
  const absl::StatusOr<int64_t> number = ParseJobId(job_id);
  if (!number.ok()) return number.status();
  return absl::StrCat(checkpoints_dir, "/", job_id);
}

absl::StatusOr<WrittenCheckpoint> WriteCheckpoint(const std::string& checkpoints_dir,
                                                  const std::string& job_id,
                                                  const Checkpoint& checkpoint) {
  const absl::StatusOr<std::string> folder = JobCheckpointDirectory(checkpoints_dir, job_id);
  if (!folder.ok()) return folder.status();
  const absl::StatusOr<std::vector<data::NamedTensor>> tensors = TensorsOfFile(checkpoint);
  if (!tensors.ok()) return tensors.status();
  const absl::Status made = MakeFolder(*folder);
  if (!made.ok()) return made;

  WrittenCheckpoint written;
  written.file_name = CheckpointFileName(checkpoint.step);
  written.model_sha256 = ModelSha256Of(checkpoint);
  data::SafetensorsMetadata metadata = checkpoint.metadata;
  metadata["format_version"] = kFormatVersion;
  metadata["job"] = job_id;
  metadata["step"] = absl::StrCat(checkpoint.step);
  metadata["model_sha256"] = written.model_sha256;
  const std::string header = data::SafetensorsHeader(*tensors, metadata);
  const std::vector<absl::string_view> pieces = data::SafetensorsPieces(header, *tensors);
  written.file_sha256 = Sha256OfPieces(pieces);
  const absl::Status stored =
      data::WriteFileAtomically(absl::StrCat(*folder, "/", written.file_name), pieces);
  if (!stored.ok()) return stored;
  return written;
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& checkpoints_dir,
                                          const std::string& job_id,
                                          const CheckpointRecord& record) {
  const absl::StatusOr<std::string> folder = JobCheckpointDirectory(checkpoints_dir, job_id);
  if (!folder.ok()) return folder.status();
  const std::string path = absl::StrCat(*folder, "/", record.file_name);
  const absl::StatusOr<std::string> bytes = ReadWholeFile(path);
  if (!bytes.ok()) return bytes.status();
  const std::string file_sha256 = data::Sha256Hex(*bytes);
  if (file_sha256 != record.file_sha256) {
    return absl::DataLossError(absl::StrCat("checkpoint ", path, " is damaged: SHA-256, got ",
                                            file_sha256, " of ", bytes->size(), " bytes, want ",
                                            record.file_sha256));
  }
  absl::StatusOr<data::SafetensorsFile> file = data::ParseSafetensors(*bytes, path);
  if (!file.ok()) return absl::DataLossError(file.status().message());
  Checkpoint checkpoint = CheckpointOf(*std::move(file), record.step);
  const std::string model_sha256 = ModelSha256Of(checkpoint);
  if (model_sha256 != record.model_sha256) {
    return absl::DataLossError(absl::StrCat("checkpoint ", path, ": model hash, got ", model_sha256,
                                            ", want ", record.model_sha256));
  }
  return checkpoint;
}

absl::StatusOr<CheckpointRecord> FindCheckpoint(JobStore& store, const std::string& job_id,
                                                std::optional<uint64_t> step) {
  const auto records = store.Checkpoints(job_id);
  if (!records.ok()) return records.status();
  if (records->empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(job_id, ": no checkpoint yet; the first is written after the first epoch"));
  }
  std::vector<uint64_t> steps;
  for (const CheckpointRecord& record : *records) {
    if (step.value_or(record.step) == record.step) return record;
    steps.push_back(record.step);
  }
  return absl::FailedPreconditionError(absl::StrCat(job_id, ": no checkpoint of step ", *step,
                                                    ", there are those of ",
                                                    absl::StrJoin(steps, ", ")));
}

absl::StatusOr<CheckpointFile> ReadCheckpointFile(JobStore& store, const std::string& job_id,
                                                  std::optional<uint64_t> step) {
  const auto record = FindCheckpoint(store, job_id, step);
  if (!record.ok()) return record.status();
  const std::string path =
      absl::StrCat(store.checkpoints_dir(), "/", job_id, "/", record->file_name);
  absl::StatusOr<std::string> bytes = ReadWholeFile(path);
  if (absl::IsNotFound(bytes.status())) return absl::DataLossError(bytes.status().message());
  if (!bytes.ok()) return bytes.status();
  if (data::Sha256Hex(*bytes) != record->file_sha256) {
    return absl::DataLossError(absl::StrCat("checkpoint ", path, " is damaged"));
  }
  return CheckpointFile{*record, *std::move(bytes)};
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes, const std::string& name) {
  absl::StatusOr<data::SafetensorsFile> file = data::ParseSafetensors(bytes, name);
  if (!file.ok()) return absl::DataLossError(file.status().message());
  uint64_t step = 0;
  if (!absl::SimpleAtoi(file->metadata["step"], &step)) {
    return absl::DataLossError(absl::StrCat(name, ": no checkpoint: it names no step"));
  }
  Checkpoint checkpoint = CheckpointOf(*std::move(file), step);
  if (ModelSha256Of(checkpoint) != checkpoint.metadata["model_sha256"]) {
    return absl::DataLossError(absl::StrCat(name, ": its tensors are not of its model_sha256"));
  }
  return checkpoint;
}

absl::StatusOr<std::string> ExportModel(const std::string& job_id, const Checkpoint& checkpoint) {
  const std::vector<data::NamedTensor> model = ModelOf(checkpoint);
  const absl::StatusOr<std::vector<data::NamedTensor>> checked =
      TensorsOfFile({checkpoint.step, model, {}, {}, false, nullptr});
  if (!checked.ok()) return checked.status();
  return data::SerializeSafetensors(model, {{"job", job_id},
                                            {"model_sha256", data::ModelSha256(model)},
                                            {"producer", "lockstep"},
                                            {"step", absl::StrCat(checkpoint.step)}});
}

}  // namespace lockstep::server
