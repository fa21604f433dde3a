// A job's state between two steps on disk, one safetensors file each (which of them
// stay: checkpoint_history.h):
//
//   STATE_DIR/checkpoints/<job>/<step, 12 digits>.safetensors
//
//   parameters        by their names ("0.weight"), as torch.nn has them
//   optimizer state   "optimizer.<state>.<parameter>" ("optimizer.velocity.0.weight")
//                     and, where the job has `ema`, the parameters' moving average
//                     ("optimizer.average.0.weight"): it is then the job's model,
//                     of which model_sha256 is and which ExportModel gives
//   __metadata__      format_version "1", job, step, model_sha256, and what the
//                     caller adds ("optimizer")
//
// The same checkpoint always gives the same bytes. A file is written under a
// temporary name, synced and renamed, then its row is added: a row stands only
// for a whole file. What the files say is checked against their rows' hashes.
// Errors beside those named: as JobStore's; RESOURCE_EXHAUSTED also for files.
#ifndef LOCKSTEP_SERVER_STORAGE_CHECKPOINT_H_
#define LOCKSTEP_SERVER_STORAGE_CHECKPOINT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engine/data/safetensors.h"
#include "server/storage/job_store.h"
#include "server/storage/lazy_copy.h"

namespace lockstep::server {

struct Checkpoint {
  // Committed steps.
  uint64_t step = 0;
  // No name may begin with "optimizer.".
  std::vector<data::NamedTensor> parameters;
  // Named "<state>.<parameter>"; the file adds the prefix "optimizer.".
  std::vector<data::NamedTensor> optimizer_state;
  // Text to keep with it, e.g. {"optimizer", "sgd"}. When read: all of the
  // file's metadata. The keys in the file comment are the writer's own; other
  // values under them are written over.
  std::map<std::string, std::string> metadata;
  // Whether its epoch has the lowest validation loss so far. Not in the file.
  bool is_best = false;
  // Not null: the tensors are to be read after FinishCopy alone.
  std::shared_ptr<LazyCopy> copying;
};

// Returns when the checkpoint's tensors can be read. Threads: any.
inline void FinishCopy(const Checkpoint& checkpoint) {
  if (checkpoint.copying != nullptr) checkpoint.copying->Finish();
}

struct WrittenCheckpoint {
  std::string file_name;
  std::string file_sha256;
  std::string model_sha256;
};

// Writes the file, in place of one of the same step; adds no row.
// `checkpoints_dir`: JobStore::checkpoints_dir(). INVALID_ARGUMENT: a name that
// cannot be; then nothing was written. Threads: one per job at a time.
absl::StatusOr<WrittenCheckpoint> WriteCheckpoint(const std::string& checkpoints_dir,
                                                  const std::string& job_id,
                                                  const Checkpoint& checkpoint);

// Reads the checkpoint of one row. DATA_LOSS: the bytes are not those that were
// written; NOT_FOUND: there is no file.
absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& checkpoints_dir,
                                          const std::string& job_id,
                                          const CheckpointRecord& record);

// The row of `step`, or the newest. FAILED_PRECONDITION: there is none of that
// step (the message names those that there are).
absl::StatusOr<CheckpointRecord> FindCheckpoint(JobStore& store, const std::string& job_id,
                                                std::optional<uint64_t> step);

// The bytes of a checkpoint's file, checked against its row.
struct CheckpointFile {
  CheckpointRecord record;
  std::string bytes;
};
// That of FindCheckpoint. DATA_LOSS: it is damaged.
absl::StatusOr<CheckpointFile> ReadCheckpointFile(JobStore& store, const std::string& job_id,
                                                  std::optional<uint64_t> step);

// What a checkpoint's file holds. `name`: for messages. DATA_LOSS: no
// checkpoint, or not whole.
absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes, const std::string& name);

// The bytes of a safetensors file with the model alone, for `lockstep pull`: the
// parameters, or their moving average where there is one. Metadata: producer "lockstep", job, step,
// model_sha256.
absl::StatusOr<std::string> ExportModel(const std::string& job_id, const Checkpoint& checkpoint);

// Its name within the job's folder.
std::string CheckpointFileName(uint64_t step);

// Identity (data::ModelSha256) of the model, the parameters' moving average where there
// is one, and of everything that training goes on from: parameters, and the
// optimizer's state under its names in the file.
std::string ModelSha256Of(const Checkpoint& checkpoint);
std::string StateSha256Of(const Checkpoint& checkpoint);

// CHECKPOINTS_DIR/<job>; INVALID_ARGUMENT where that is no job id.
absl::StatusOr<std::string> JobCheckpointDirectory(const std::string& checkpoints_dir,
                                                   const std::string& job_id);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_CHECKPOINT_H_
