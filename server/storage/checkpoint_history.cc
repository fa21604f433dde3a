#include "server/storage/checkpoint_history.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "engine/check.h"
#include "server/storage/receipt_chain.h"
#include "server/storage/state_files.h"

namespace lockstep::server {
namespace {

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
    if (whole.ok() && record.model_sha256 == ModelSha256Of(checkpoint)) {
      return record;
    }
  }
  return absl::NotFoundError("not saved yet");
}

absl::Status NoneLeft(const std::string& job_id, const std::vector<std::string>& messages) {
  std::string text = absl::StrCat(job_id, " has no checkpoint");
  if (!messages.empty()) absl::StrAppend(&text, ": ", absl::StrJoin(messages, "; "));
  return absl::NotFoundError(text);
}

}  // namespace

absl::StatusOr<CheckpointRecord> SaveCheckpoint(JobStore& store, const std::string& job_id,
                                                const Checkpoint& checkpoint, absl::Time now,
                                                const KeptCheckpoints& kept) {
  const absl::StatusOr<CheckpointRecord> saved = AlreadySaved(store, job_id, checkpoint);
  if (saved.ok() || !absl::IsNotFound(saved.status())) return saved;
  const auto receipts = NextReceipts(store, job_id, {checkpoint});
  if (!receipts.ok()) return receipts.status();
  const v1::Receipt* const receipt = &receipts->front();
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
  const absl::Status noted = store.RecordReceipts(job_id, *receipts);
  if (!noted.ok()) return noted;
  const CheckpointRecord record = {checkpoint.step, written->file_name, written->file_sha256,
                                   written->model_sha256, now};
  const absl::Status recorded = store.RecordCheckpoint(job_id, record);
  if (!recorded.ok()) return recorded;
  const absl::Status pruned = PruneCheckpoints(store, job_id, kept);
  if (!pruned.ok()) return pruned;
  return record;
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

namespace {

// The step of a checkpoint file's name; nothing for another file.
std::optional<uint64_t> StepOfFile(absl::string_view name) {
  uint64_t step = 0;
  absl::string_view digits = name;
  const bool is_checkpoint = absl::ConsumeSuffix(&digits, ".safetensors") &&
                             absl::SimpleAtoi(digits, &step) && CheckpointFileName(step) == name;
  return is_checkpoint ? std::optional<uint64_t>(step) : std::nullopt;
}

// Removes checkpoint files, with or without a row, whose step is `doomed`.
absl::Status RemoveCheckpointFiles(JobStore& store, const std::string& job_id,
                                   const std::function<bool(uint64_t)>& doomed) {
  const absl::StatusOr<std::string> folder =
      JobCheckpointDirectory(store.checkpoints_dir(), job_id);
  if (!folder.ok()) return folder.status();
  const absl::StatusOr<std::vector<std::string>> names = FileNames(*folder);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::optional<uint64_t> step = StepOfFile(name);
    if (!step.has_value() || !doomed(*step)) continue;
    const absl::Status removed = RemoveFile(absl::StrCat(*folder, "/", name));
    if (!removed.ok()) return removed;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<uint64_t>> BestStep(JobStore& store, const std::string& job_id,
                                                 const std::vector<CheckpointRecord>& records) {
  std::set<uint64_t> steps;
  for (const CheckpointRecord& record : records) steps.insert(record.step);
  std::optional<uint64_t> best;
  double lowest = 0;
  for (const uint64_t step : steps) {
    const auto epoch = store.EpochAt(job_id, step);
    if (!epoch.ok()) return epoch.status();
    if (!epoch->has_value() || !(*epoch)->has_validation_loss()) continue;
    if (best.has_value() && (*epoch)->validation_loss() >= lowest) continue;
    best = step;
    lowest = (*epoch)->validation_loss();
  }
  return best;
}

absl::Status PruneCheckpoints(JobStore& store, const std::string& job_id,
                              const KeptCheckpoints& kept) {
  LOCKSTEP_CHECK(kept.newest >= 1, absl::StrCat("kept.newest = ", kept.newest));
  const absl::StatusOr<std::vector<CheckpointRecord>> records = store.Checkpoints(job_id);
  if (!records.ok()) return records.status();
  const size_t newest = static_cast<size_t>(kept.newest);
  if (records->empty()) return absl::OkStatus();
  std::optional<uint64_t> best;
  if (kept.best) {
    const auto found = BestStep(store, job_id, *records);
    if (!found.ok()) return found.status();
    best = *found;
  }
  // Rows first: a row must not outlive its file. A file left by a crash in
  // between has no row and goes at the next pruning.
  for (size_t i = newest; i < records->size(); ++i) {
    if ((*records)[i].step == best) continue;
    const absl::Status dropped = store.DropCheckpoint(job_id, (*records)[i].step);
    if (!dropped.ok()) return dropped;
  }
  const uint64_t oldest = (*records)[std::min(records->size(), newest) - 1].step;
  return RemoveCheckpointFiles(store, job_id,
                               [&](uint64_t step) { return step < oldest && step != best; });
}

absl::Status DropCheckpointsAfter(JobStore& store, const std::string& job_id, uint64_t step,
                                  absl::Time now) {
  const absl::StatusOr<std::vector<CheckpointRecord>> records = store.Checkpoints(job_id);
  if (!records.ok()) return records.status();
  for (const CheckpointRecord& record : *records) {
    if (record.step <= step) continue;
    const absl::Status noted = store.AddEvent(
        job_id, "checkpoint_withdrawn",
        absl::StrCat("checkpoint of step ", record.step, ": holds a wrong sum of step ", step),
        now);
    if (!noted.ok()) return noted;
    const absl::Status dropped = store.DropCheckpoint(job_id, record.step);
    if (!dropped.ok()) return dropped;
  }
  return RemoveCheckpointFiles(store, job_id, [step](uint64_t other) { return other > step; });
}

}  // namespace lockstep::server
