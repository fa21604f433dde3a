// What a server must not forget: jobs, their measurements, checkpoints and
// events, in SQLite at STATE_DIR/lockstep.db. Live progress is not kept here,
// nor are tensors (checkpoint.h).
//
// A call that returned OK survives a crash of the process and a loss of power.
// A call that returned an error changed nothing.
//
// Errors of every function: NOT_FOUND (no such job), RESOURCE_EXHAUSTED (disk
// full: free some and call again), DATA_LOSS (the database is damaged; the
// message names the file: restore it or start with another folder),
// UNAVAILABLE (another process holds the database: call again).
#ifndef LOCKSTEP_SERVER_STORAGE_JOB_STORE_H_
#define LOCKSTEP_SERVER_STORAGE_JOB_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "lockstep/v1/job.pb.h"
#include "lockstep/v1/job_service.pb.h"
#include "server/storage/sqlite.h"
#include "server/storage/state_lock.h"

namespace lockstep::server {

// A checkpoint file that was written whole.
struct CheckpointRecord {
  uint64_t step = 0;         // committed steps
  std::string file_name;     // within the job's checkpoint folder
  std::string file_sha256;   // of the file's bytes, hex
  std::string model_sha256;  // identity of the parameters, hex
  absl::Time written_at;
};

// Something that happened to a job, for people.
struct JobEvent {
  absl::Time at;
  std::string kind;  // a few lower-case words with `_`, e.g. "checkpoint_damaged"
  std::string message;
};

// Threads: any. Times are kept to the microsecond.
class JobStore {
 public:
  // Takes the folder's lock, creates or opens the database, and removes what
  // unfinished writes left in the checkpoint folders.
  // FAILED_PRECONDITION: another server has the folder, or the database was
  // made by a newer version of Lockstep, or is not Lockstep's;
  // PERMISSION_DENIED: the folder cannot be written.
  // A damaged database is set aside (*.damaged) and the copy of the last BackUp
  // takes its place; recovery() then says so. DATA_LOSS: there is no whole copy.
  static absl::StatusOr<std::unique_ptr<JobStore>> Open(const std::string& state_dir);

  // What was found damaged at Open and what came in its place; empty: nothing.
  const std::string& recovery() const { return recovery_; }
  // Copies the database to STATE_DIR/lockstep.db.backup, in place of the copy
  // before. Blocks for as long as the disk takes.
  absl::Status BackUp();

  const std::string& state_dir() const { return state_dir_; }
  // STATE_DIR/checkpoints; one folder per job within.
  std::string checkpoints_dir() const { return state_dir_ + "/checkpoints"; }

  // Queues a job; its id is "job-1", "job-2", ...: never used twice, even where
  // a job of that number came to nothing.
  absl::StatusOr<std::string> CreateJob(const v1::JobSpec& spec, absl::Time now);
  // The same in two parts, for a job with files that must be on disk before
  // anyone can see the job (initial_parameters.h).
  absl::StatusOr<std::string> ReserveJobId();
  // `job_id`: from ReserveJobId, once. ALREADY_EXISTS: there is such a job.
  absl::Status CreateReservedJob(const std::string& job_id, const v1::JobSpec& spec,
                                 absl::Time now);

  // Sets state and reason. started_at is set by the first RUNNING; ended_at by
  // the change into a final state, and cleared by that into QUEUED or RUNNING.
  // Checks no order of states: that is the scheduler's.
  absl::Status UpdateState(const std::string& job_id, v1::JobState state, absl::string_view reason,
                           absl::Time now);

  // Adds the measurement, in place of one of the same step.
  absl::Status RecordEpoch(const std::string& job_id, const v1::EpochMetrics& metrics);
  // Forgets measurements of later steps than `step`: for a job that goes back
  // to an older checkpoint.
  absl::Status DropEpochsAfter(const std::string& job_id, uint64_t step);

  // Keeps the ledger that belongs to the checkpoint of this step, for GetJob, in
  // place of all others.
  absl::Status RecordLedger(const std::string& job_id, uint64_t step,
                            const v1::ExampleLedger& ledger);
  // The same for the counts of the job's workers' work (work_counts.h): of `counts`
  // only what is set goes on record.
  absl::Status RecordCounts(const std::string& job_id, uint64_t step, const v1::Progress& counts);
  // The same for how stale updates were, where shards do not wait for each other.
  absl::Status RecordStaleness(const std::string& job_id, uint64_t step,
                               const v1::Staleness& staleness);

  // Adds the checkpoint, in place of one of the same step. Call it when the
  // file is on disk.
  absl::Status RecordCheckpoint(const std::string& job_id, const CheckpointRecord& checkpoint);
  // Forgets the row, not the file. OK where there is none.
  absl::Status DropCheckpoint(const std::string& job_id, uint64_t step);
  // Newest (highest step) first. Empty for an unknown job.
  absl::StatusOr<std::vector<CheckpointRecord>> Checkpoints(const std::string& job_id);

  // Adds the receipts, each in place of one of the same step; all or none.
  absl::Status RecordReceipts(const std::string& job_id, const std::vector<v1::Receipt>& receipts);
  // The newest of fewer steps than `step`, if there is one.
  absl::StatusOr<std::optional<v1::Receipt>> ReceiptBefore(const std::string& job_id,
                                                           uint64_t step);
  // Oldest first. Empty for an unknown job.
  absl::StatusOr<std::vector<v1::Receipt>> Receipts(const std::string& job_id);

  // Adds the digests, each in place of one of the same step; `digests.tensors`
  // in place of those before.
  absl::Status RecordDigests(const std::string& job_id, const v1::JobDigests& digests);
  // Those of more steps than `after_step`, oldest first.
  absl::StatusOr<v1::JobDigests> Digests(const std::string& job_id, uint64_t after_step);
  // Adds what arrived up to `arrivals.step` since the row before, in place of
  // one of the same step. The rows, oldest first.
  absl::Status RecordArrivals(const std::string& job_id, const v1::Arrivals& arrivals);
  absl::StatusOr<std::vector<v1::Arrivals>> Arrivals(const std::string& job_id);
  // The order that a job is to repeat; empty: none.
  absl::Status RecordReplay(const std::string& job_id, const v1::Arrivals& arrivals);
  absl::StatusOr<v1::Arrivals> Replay(const std::string& job_id);
  // Forgets receipts, digests and arrivals of later steps than `step`: for a job that goes
  // back to an older checkpoint.
  absl::Status DropProofAfter(const std::string& job_id, uint64_t step);

  // All that is on record: of `progress` the epochs and the newest validation
  // values and the ledger, `workers` empty; model_sha256 and checkpoint_step are those of the
  // newest checkpoint.
  absl::StatusOr<v1::Job> GetJob(const std::string& job_id);
  // Of GetJob the specification alone: what does not grow with the job's age.
  absl::StatusOr<v1::JobSpec> GetSpec(const std::string& job_id);
  // What was measured after this step; nothing where no epoch ended there.
  absl::StatusOr<std::optional<v1::EpochMetrics>> EpochAt(const std::string& job_id, uint64_t step);
  // As GetJob, but without progress.epochs; newest first.
  absl::StatusOr<std::vector<v1::Job>> ListJobs();
  // As ListJobs, but only QUEUED and RUNNING ones, in order of submission.
  absl::StatusOr<std::vector<v1::Job>> UnfinishedJobs();

  absl::Status AddEvent(const std::string& job_id, absl::string_view kind,
                        absl::string_view message, absl::Time now);
  // Oldest first. Empty for an unknown job.
  absl::StatusOr<std::vector<JobEvent>> Events(const std::string& job_id);

 private:
  JobStore(std::string state_dir, std::unique_ptr<StateLock> lock,
           std::unique_ptr<Database> database);

  absl::Status InsertJob(int64_t number, const v1::JobSpec& spec, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> ReserveNumber() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> ExistingNumber(const std::string& job_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::vector<v1::Job>> ReadJobs(absl::string_view condition_and_order)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::Job> ReadJob(const Statement& row) const;
  // One row of this kind, the newest.
  absl::Status RecordNewest(const std::string& job_id, uint64_t step, const char* kind,
                            const google::protobuf::MessageLite& measurement);
  // Leaves `measurement` alone where there is none.
  absl::StatusOr<bool> ReadNewest(int64_t number, const char* kind,
                                  google::protobuf::MessageLite* measurement)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReadLedger(int64_t number, v1::Progress& progress)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReadEpochs(int64_t number, v1::Progress& progress)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string state_dir_;
  std::string recovery_;
  const std::unique_ptr<StateLock> lock_;
  // Held across SQLite's file I/O, against the custom: one connection, and
  // statements that take milliseconds at a few per second.
  absl::Mutex mutex_;
  const std::unique_ptr<Database> database_ ABSL_PT_GUARDED_BY(mutex_);
};

// "job-<number>".
std::string JobId(int64_t number);

// The number in "job-<number>"; INVALID_ARGUMENT on any other text. All file
// names made of a job id go through this, so no id can lead out of its folder.
absl::StatusOr<int64_t> ParseJobId(absl::string_view job_id);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_JOB_STORE_H_
