#include "server/storage/checkpoint.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "engine/check.h"
#include "engine/data/atomic_file.h"
#include "engine/data/model_hash.h"
#include "engine/data/sha256.h"
#include "engine/model/job_identity.h"
#include "engine/model/receipt.h"
#include "server/storage/state_files.h"

namespace lockstep::server {
namespace {

constexpr char kOptimizerPrefix[] = "optimizer.";
constexpr char kAveragePrefix[] = "average.";
constexpr char kEnding[] = ".safetensors";
constexpr char kFormatVersion[] = "1";

// 12 digits: steps sort as text up to 10^12.
std::string FileNameOf(uint64_t step) { return absl::StrFormat("%012d%s", step, kEnding); }

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

// One step backward in LoadNewestGoodCheckpoint: out of the way with a
// checkpoint that is damaged (`why` is DATA_LOSS) or missing (NOT_FOUND).
absl::Status DiscardCheckpoint(JobStore& store, const std::string& job_id,
                               const CheckpointRecord& record, const absl::Status& why,
                               const std::string& path, absl::Time now,
                               std::vector<std::string>& messages) {
  std::string message(why.message());
  if (absl::IsDataLoss(why)) {
    const absl::Status aside = SetFileAside(path);
    // Gone: another thread has found the damage too.
    if (!aside.ok() && !absl::IsNotFound(aside)) return aside;
    absl::StrAppend(&message, "; kept as ", record.file_name, ".damaged");
  }
  // The event first: a crash between the two repeats it rather than losing it.
  const absl::Status noted = store.AddEvent(job_id, "checkpoint_damaged", message, now);
  if (!noted.ok()) return noted;
  messages.push_back(std::move(message));
  return store.DropCheckpoint(job_id, record.step);
}

// Whether the row is still there: another thread may prune it meanwhile.
absl::StatusOr<bool> StillRecorded(JobStore& store, const std::string& job_id,
                                   const CheckpointRecord& record) {
  const absl::StatusOr<std::vector<CheckpointRecord>> records = store.Checkpoints(job_id);
  if (!records.ok()) return records.status();
  for (const CheckpointRecord& other : *records) {
    if (other.step == record.step) return other.file_sha256 == record.file_sha256;
  }
  return false;
}

// The row of `step`, where its file is whole and its parameters are those of
// `checkpoint`: nothing to write again then. Writing all the same would leave,
// for a moment, a row that does not match its file (other metadata).
absl::StatusOr<CheckpointRecord> AlreadySaved(JobStore& store, const std::string& job_id,
                                              const Checkpoint& checkpoint) {
  const absl::StatusOr<std::vector<CheckpointRecord>> records = store.Checkpoints(job_id);
  if (!records.ok()) return records.status();
  for (const CheckpointRecord& record : *records) {
    if (record.step != checkpoint.step) continue;
    const absl::Status whole = ReadCheckpoint(store.checkpoints_dir(), job_id, record).status();
    if (whole.ok() && record.model_sha256 == data::ModelSha256(ModelOf(checkpoint))) {
      return record;
    }
  }
  return absl::NotFoundError("not saved yet");
}

// Of everything that training goes on from: parameters, and the optimizer's
// state under its names in the file.
std::string StateSha256(const Checkpoint& checkpoint) {
  std::vector<data::NamedTensor> tensors = checkpoint.parameters;
  for (const data::NamedTensor& state : checkpoint.optimizer_state) {
    tensors.push_back({kOptimizerPrefix + state.name, state.tensor});
  }
  return data::ModelSha256(tensors);
}

// The receipt that comes after those on record.
absl::StatusOr<v1::Receipt> NextReceipt(JobStore& store, const std::string& job_id,
                                        const Checkpoint& checkpoint) {
  const absl::StatusOr<v1::Job> job = store.GetJob(job_id);
  if (!job.ok()) return job.status();
  const auto before = store.ReceiptBefore(job_id, checkpoint.step);
  if (!before.ok()) return before.status();
  v1::Receipt receipt;
  receipt.set_step(checkpoint.step);
  receipt.set_job_sha256(JobSha256(job->spec()));
  receipt.set_data_sha256(DataSha256(job->spec()));
  receipt.set_model_sha256(data::ModelSha256(ModelOf(checkpoint)));
  receipt.set_state_sha256(StateSha256(checkpoint));
  // A forked job's chain begins with the checkpoint that it goes on from.
  receipt.set_previous(job->spec().has_forked_from() ? job->spec().forked_from().checkpoint_sha256()
                                                     : NoReceipt());
  if (before->has_value()) receipt.set_previous((*before)->receipt());
  receipt.set_receipt(HashOfReceipt(receipt));
  return receipt;
}

absl::Status NoneLeft(const std::string& job_id, const std::vector<std::string>& messages) {
  std::string text = absl::StrCat(job_id, " has no checkpoint");
  if (!messages.empty()) absl::StrAppend(&text, ": ", absl::StrJoin(messages, "; "));
  return absl::NotFoundError(text);
}

}  // namespace

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
  written.file_name = FileNameOf(checkpoint.step);
  written.model_sha256 = data::ModelSha256(ModelOf(checkpoint));
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

absl::StatusOr<CheckpointRecord> SaveCheckpoint(JobStore& store, const std::string& job_id,
                                                const Checkpoint& checkpoint, absl::Time now,
                                                int keep) {
  const absl::StatusOr<CheckpointRecord> saved = AlreadySaved(store, job_id, checkpoint);
  if (saved.ok() || !absl::IsNotFound(saved.status())) return saved;
  const absl::StatusOr<v1::Receipt> receipt = NextReceipt(store, job_id, checkpoint);
  if (!receipt.ok()) return receipt.status();
  Checkpoint with_receipt = checkpoint;  // shares the tensors
  with_receipt.metadata["job_sha256"] = receipt->job_sha256();
  with_receipt.metadata["data_sha256"] = receipt->data_sha256();
  with_receipt.metadata["state_sha256"] = receipt->state_sha256();
  with_receipt.metadata["previous_receipt"] = receipt->previous();
  with_receipt.metadata["receipt"] = receipt->receipt();
  const absl::StatusOr<WrittenCheckpoint> written =
      WriteCheckpoint(store.checkpoints_dir(), job_id, with_receipt);
  if (!written.ok()) return written.status();
  // Before the row: a checkpoint that is there has its receipt.
  const absl::Status noted = store.RecordReceipt(job_id, *receipt);
  if (!noted.ok()) return noted;
  const CheckpointRecord record = {checkpoint.step, written->file_name, written->file_sha256,
                                   written->model_sha256, now};
  const absl::Status recorded = store.RecordCheckpoint(job_id, record);
  if (!recorded.ok()) return recorded;
  const absl::Status pruned = PruneCheckpoints(store, job_id, keep);
  if (!pruned.ok()) return pruned;
  return record;
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
  const std::string model_sha256 = data::ModelSha256(ModelOf(checkpoint));
  if (model_sha256 != record.model_sha256) {
    return absl::DataLossError(absl::StrCat("checkpoint ", path, ": model hash, got ", model_sha256,
                                            ", want ", record.model_sha256));
  }
  return checkpoint;
}

absl::StatusOr<CheckpointFile> ReadCheckpointFile(JobStore& store, const std::string& job_id,
                                                  std::optional<uint64_t> step) {
  const auto records = store.Checkpoints(job_id);
  if (!records.ok()) return records.status();
  std::vector<uint64_t> steps;
  for (const CheckpointRecord& record : *records) {
    steps.push_back(record.step);
    if (step.value_or(record.step) != record.step) continue;
    const std::string path =
        absl::StrCat(store.checkpoints_dir(), "/", job_id, "/", record.file_name);
    absl::StatusOr<std::string> bytes = ReadWholeFile(path);
    if (absl::IsNotFound(bytes.status())) return absl::DataLossError(bytes.status().message());
    if (!bytes.ok()) return bytes.status();
    if (data::Sha256Hex(*bytes) != record.file_sha256) {
      return absl::DataLossError(absl::StrCat("checkpoint ", path, " is damaged"));
    }
    return CheckpointFile{record, *std::move(bytes)};
  }
  if (steps.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(job_id, ": no checkpoint yet; the first is written after the first epoch"));
  }
  return absl::FailedPreconditionError(absl::StrCat(job_id, ": no checkpoint of step ", *step,
                                                    ", there are those of ",
                                                    absl::StrJoin(steps, ", ")));
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes, const std::string& name) {
  absl::StatusOr<data::SafetensorsFile> file = data::ParseSafetensors(bytes, name);
  if (!file.ok()) return absl::DataLossError(file.status().message());
  uint64_t step = 0;
  if (!absl::SimpleAtoi(file->metadata["step"], &step)) {
    return absl::DataLossError(absl::StrCat(name, ": no checkpoint: it names no step"));
  }
  Checkpoint checkpoint = CheckpointOf(*std::move(file), step);
  if (data::ModelSha256(ModelOf(checkpoint)) != checkpoint.metadata["model_sha256"]) {
    return absl::DataLossError(absl::StrCat(name, ": its tensors are not of its model_sha256"));
  }
  return checkpoint;
}

absl::StatusOr<LoadedCheckpoint> LoadNewestGoodCheckpoint(JobStore& store,
                                                          const std::string& job_id,
                                                          absl::Time now) {
  std::vector<std::string> messages;
  while (true) {
    absl::StatusOr<std::vector<CheckpointRecord>> records = store.Checkpoints(job_id);
    if (!records.ok()) return records.status();
    if (records->empty()) return NoneLeft(job_id, messages);
    const CheckpointRecord& newest = records->front();
    absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(store.checkpoints_dir(), job_id, newest);
    if (checkpoint.ok()) return LoadedCheckpoint{*std::move(checkpoint), newest, messages};
    const absl::Status why = checkpoint.status();
    if (!absl::IsDataLoss(why) && !absl::IsNotFound(why)) return why;
    const absl::StatusOr<bool> still_recorded = StillRecorded(store, job_id, newest);
    if (!still_recorded.ok()) return still_recorded.status();
    if (!*still_recorded) continue;  // written anew or pruned: look again
    const std::string path =
        absl::StrCat(store.checkpoints_dir(), "/", job_id, "/", newest.file_name);
    const absl::Status discarded =
        DiscardCheckpoint(store, job_id, newest, why, path, now, messages);
    if (!discarded.ok()) return discarded;
  }
}

absl::StatusOr<std::string> ExportModel(const std::string& job_id, const Checkpoint& checkpoint) {
  const std::vector<data::NamedTensor> model = ModelOf(checkpoint);
  const absl::StatusOr<std::vector<data::NamedTensor>> checked =
      TensorsOfFile({checkpoint.step, model, {}, {}});
  if (!checked.ok()) return checked.status();
  return data::SerializeSafetensors(model, {{"job", job_id},
                                            {"model_sha256", data::ModelSha256(model)},
                                            {"producer", "lockstep"},
                                            {"step", absl::StrCat(checkpoint.step)}});
}

absl::Status PruneCheckpoints(JobStore& store, const std::string& job_id, int keep) {
  LOCKSTEP_CHECK(keep >= 1, absl::StrCat("keep = ", keep));
  const absl::StatusOr<std::string> folder =
      JobCheckpointDirectory(store.checkpoints_dir(), job_id);
  if (!folder.ok()) return folder.status();
  const absl::StatusOr<std::vector<CheckpointRecord>> records = store.Checkpoints(job_id);
  if (!records.ok()) return records.status();
  if (records->empty()) return absl::OkStatus();
  const size_t kept = std::min(records->size(), static_cast<size_t>(keep));
  // Rows first: a row must not outlive its file. A file left by a crash in
  // between has no row and goes at the next pruning.
  for (size_t i = kept; i < records->size(); ++i) {
    const absl::Status dropped = store.DropCheckpoint(job_id, (*records)[i].step);
    if (!dropped.ok()) return dropped;
  }
  const absl::StatusOr<std::vector<std::string>> names = FileNames(*folder);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    uint64_t step = 0;
    absl::string_view digits = name;
    const bool is_checkpoint = absl::ConsumeSuffix(&digits, kEnding) &&
                               absl::SimpleAtoi(digits, &step) && FileNameOf(step) == name;
    if (!is_checkpoint || step >= (*records)[kept - 1].step) continue;
    const absl::Status removed = RemoveFile(absl::StrCat(*folder, "/", name));
    if (!removed.ok()) return removed;
  }
  return absl::OkStatus();
}

}  // namespace lockstep::server
