// A job's checkpoints over time: saved each with its receipt, pruned, read back newest
// first, withdrawn. Errors beside those named: as checkpoint.h.
#ifndef LOCKSTEP_SERVER_STORAGE_CHECKPOINT_HISTORY_H_
#define LOCKSTEP_SERVER_STORAGE_CHECKPOINT_HISTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/storage/checkpoint.h"
#include "server/storage/job_store.h"

namespace lockstep::server {

// How many checkpoints of a job are kept: the newest, and one to fall back on.
// More cost disk only.
inline constexpr int kDefaultKeptCheckpoints = 2;

// Which checkpoints of a job stay on disk.
struct KeptCheckpoints {
  int newest = kDefaultKeptCheckpoints;
  // Beside them that of the lowest recorded validation loss.
  bool best = false;
};

struct LoadedCheckpoint {
  // Tensors in the file's order: look them up by name.
  Checkpoint checkpoint;
  CheckpointRecord record;
  // One line for each newer checkpoint that was damaged or missing.
  std::vector<std::string> messages;
};

// WriteCheckpoint with its receipt in the metadata (job_sha256, data_sha256,
// state_sha256, previous_receipt, receipt), then the receipt's row, then the
// checkpoint's, then PruneCheckpoints(kept). Where the step's
// checkpoint is there already, whole and of the same parameters, it is left as
// it is and its row returned: a job's step determines its state.
// Threads: one per job at a time. Blocks for as long as the disk takes.
absl::StatusOr<CheckpointRecord> SaveCheckpoint(JobStore& store, const std::string& job_id,
                                                const Checkpoint& checkpoint, absl::Time now,
                                                const KeptCheckpoints& kept = {});

// The newest checkpoint whose file is whole. A damaged file is renamed to
// "<name>.damaged"; its row, and that of a missing file, is dropped, with an
// event "checkpoint_damaged" and a message. NOT_FOUND: none is left (the
// message repeats the messages): the job starts at its beginning. A file that
// cannot be read at all (permissions, I/O error) is an error, not damage.
absl::StatusOr<LoadedCheckpoint> LoadNewestGoodCheckpoint(JobStore& store,
                                                          const std::string& job_id,
                                                          absl::Time now);

// Of the checkpoints on record that of the lowest validation loss; the earlier of
// two equal ones; nothing where none was measured. Reads as many measurements as
// there are records, however many epochs the job has behind it. Errors: as JobStore's.
absl::StatusOr<std::optional<uint64_t>> BestStep(JobStore& store, const std::string& job_id,
                                                 const std::vector<CheckpointRecord>& records);

// Removes all but those to keep, rows and files, and older checkpoint files that
// have no row. Requires: kept.newest >= 1. The final checkpoint is the newest, so
// it always stays.
absl::Status PruneCheckpoints(JobStore& store, const std::string& job_id,
                              const KeptCheckpoints& kept = {});

// Removes the checkpoints of more steps than `step`, rows and files: they hold
// what has been found wrong.
absl::Status DropCheckpointsAfter(JobStore& store, const std::string& job_id, uint64_t step,
                                  absl::Time now);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_CHECKPOINT_HISTORY_H_
