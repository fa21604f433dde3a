#include "server/storage/job_store.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "engine/data/atomic_file.h"
#include "server/storage/job_schema.h"
#include "server/storage/state_files.h"

namespace lockstep::server {
namespace {

// How long to wait for another process that holds the database: a backup of a
// database of this size is done within that.
constexpr absl::Duration kBusyTimeout = absl::Seconds(5);

bool IsFinal(v1::JobState state) {
  return state == v1::SUCCEEDED || state == v1::FAILED || state == v1::CANCELLED;
}

}  // namespace

std::string JobId(int64_t number) { return absl::StrCat("job-", number); }

absl::StatusOr<int64_t> ParseJobId(absl::string_view job_id) {
  absl::string_view digits = job_id;
  int64_t number = 0;
  // Only the exact text that JobId gives: not "job-01", "job-+1" or "job- 1".
  if (!absl::ConsumePrefix(&digits, "job-") || !absl::SimpleAtoi(digits, &number) || number < 1 ||
      JobId(number) != job_id) {
    return absl::InvalidArgumentError(
        absl::StrCat("job id, got \"", job_id.substr(0, 64), "\", want \"job-<number>\""));
  }
  return number;
}

JobStore::JobStore(std::string state_dir, std::unique_ptr<StateLock> lock,
                   std::unique_ptr<Database> database)
    : state_dir_(std::move(state_dir)), lock_(std::move(lock)), database_(std::move(database)) {}

namespace {

constexpr char kBackupEnding[] = ".backup";

absl::StatusOr<std::unique_ptr<Database>> OpenWholeDatabase(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path, kBusyTimeout);
  if (!database.ok()) return database.status();
  const absl::Status prepared = PrepareJobSchema(**database);
  if (!prepared.ok()) return prepared;
  return database;
}

// Sets a damaged database aside, with what SQLite keeps beside it, and puts its
// backup there. DATA_LOSS: there is none, or it is damaged too; nothing is
// moved then.
absl::Status RestoreBackup(const std::string& path, const absl::Status& damage) {
  const std::string backup = path + kBackupEnding;
  const absl::StatusOr<std::string> bytes = ReadWholeFile(backup);
  if (absl::IsNotFound(bytes.status())) return damage;
  if (!bytes.ok()) return bytes.status();
  const absl::Status whole = OpenWholeDatabase(backup).status();
  for (const char* ending : {"-wal", "-shm"}) RemoveFile(backup + ending).IgnoreError();
  if (!whole.ok()) {
    return absl::DataLossError(absl::StrCat(damage.message(), "; its copy too: ", whole.message()));
  }
  for (const char* ending : {"", "-wal", "-shm"}) {
    const absl::Status aside = SetFileAside(path + ending);
    if (!aside.ok() && !absl::IsNotFound(aside)) return aside;
  }
  return data::WriteFileAtomically(path, {absl::string_view(*bytes)});
}

}  // namespace

absl::Status JobStore::BackUp() {
  const std::string path = state_dir_ + "/lockstep.db";
  const std::string copy = path + kBackupEnding + ".new";
  const absl::Status removed = RemoveFile(copy);
  if (!removed.ok()) return removed;
  {
    absl::MutexLock lock(&mutex_);
    absl::StatusOr<Statement> vacuum = database_->Prepare("VACUUM INTO ?");
    if (!vacuum.ok()) return vacuum.status();
    const absl::Status copied = vacuum->BindText(copy).Run();
    if (!copied.ok()) return copied;
  }
  // SQLite does not sync what it copies into.
  const absl::StatusOr<std::string> bytes = ReadWholeFile(copy);
  if (!bytes.ok()) return bytes.status();
  const absl::Status written =
      data::WriteFileAtomically(path + kBackupEnding, {absl::string_view(*bytes)});
  RemoveFile(copy).IgnoreError();
  return written;
}

absl::StatusOr<std::unique_ptr<JobStore>> JobStore::Open(const std::string& state_dir) {
  absl::StatusOr<std::unique_ptr<StateLock>> lock = StateLock::Acquire(state_dir);
  if (!lock.ok()) return lock.status();
  const std::string path = state_dir + "/lockstep.db";
  absl::StatusOr<std::unique_ptr<Database>> database = OpenWholeDatabase(path);
  std::string recovery;
  if (absl::IsDataLoss(database.status())) {
    const absl::Status damage = database.status();
    const absl::Status restored = RestoreBackup(path, damage);
    if (!restored.ok()) return restored;
    recovery = absl::StrCat(damage.message(), "; kept as ", path,
                            ".damaged; its last copy has taken its place");
    database = OpenWholeDatabase(path);
  }
  if (!database.ok()) return database.status();
  auto store =
      std::unique_ptr<JobStore>(new JobStore(state_dir, *std::move(lock), *std::move(database)));
  store->recovery_ = std::move(recovery);
  const absl::Status cleaned = RemoveUnfinishedWrites(store->checkpoints_dir());
  if (!cleaned.ok()) return cleaned;
  return store;
}

absl::StatusOr<int64_t> JobStore::ReserveNumber() {
  // Or the new job would be gone with the server.
  const absl::Status in_place = lock_->CheckInPlace();
  if (!in_place.ok()) return in_place;
  absl::StatusOr<Statement> next =
      database_->Prepare("UPDATE last_job SET number = number + 1 RETURNING number");
  if (!next.ok()) return next.status();
  const absl::StatusOr<bool> row = next->Step();
  if (!row.ok()) return row.status();
  if (!*row) {
    return absl::DataLossError(
        absl::StrCat("database ", database_->path(), ": table last_job is empty"));
  }
  const int64_t number = next->Integer(0);
  // A statement takes effect when it has been run to its end.
  const absl::Status done = next->Run();
  if (!done.ok()) return done;
  return number;
}

absl::Status JobStore::InsertJob(int64_t number, const v1::JobSpec& spec, absl::Time now) {
  absl::StatusOr<Statement> insert = database_->Prepare(
      "INSERT INTO jobs (number, spec, state, reason, submitted_at) VALUES (?, ?, ?, '', ?)");
  if (!insert.ok()) return insert.status();
  return insert->BindInteger(number)
      .BindBytes(spec.SerializeAsString())
      .BindText(v1::JobState_Name(v1::QUEUED))
      .BindInteger(absl::ToUnixMicros(now))
      .Run();
}

absl::StatusOr<std::string> JobStore::CreateJob(const v1::JobSpec& spec, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Transaction> transaction = Transaction::Begin(*database_);
  if (!transaction.ok()) return transaction.status();
  const absl::StatusOr<int64_t> number = ReserveNumber();
  if (!number.ok()) return number.status();
  const absl::Status inserted = InsertJob(*number, spec, now);
  if (!inserted.ok()) return inserted;
  const absl::Status committed = transaction->Commit();
  if (!committed.ok()) return committed;
  return JobId(*number);
}

absl::StatusOr<std::string> JobStore::ReserveJobId() {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ReserveNumber();
  if (!number.ok()) return number.status();
  return JobId(*number);
}

absl::Status JobStore::CreateReservedJob(const std::string& job_id, const v1::JobSpec& spec,
                                         absl::Time now) {
  const absl::StatusOr<int64_t> number = ParseJobId(job_id);
  if (!number.ok()) return number.status();
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> last = database_->QueryInteger("SELECT number FROM last_job");
  if (!last.ok()) return last.status();
  if (*number > *last) {
    return absl::InvalidArgumentError(absl::StrCat("id ", job_id, " has not been reserved"));
  }
  const absl::Status existing = ExistingNumber(job_id).status();
  if (existing.ok()) return absl::AlreadyExistsError(absl::StrCat("there is a ", job_id));
  if (!absl::IsNotFound(existing)) return existing;
  return InsertJob(*number, spec, now);
}

absl::StatusOr<int64_t> JobStore::ExistingNumber(const std::string& job_id) {
  const absl::StatusOr<int64_t> number = ParseJobId(job_id);
  const absl::Status unknown =
      absl::NotFoundError(absl::StrCat("no job \"", job_id.substr(0, 64), "\""));
  if (!number.ok()) return unknown;
  absl::StatusOr<Statement> select = database_->Prepare("SELECT number FROM jobs WHERE number = ?");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row = select->BindInteger(*number).Step();
  if (!row.ok()) return row.status();
  return *row ? number : unknown;
}

absl::Status JobStore::UpdateState(const std::string& job_id, v1::JobState state,
                                   absl::string_view reason, absl::Time now) {
  if (!v1::JobState_IsValid(state) || state == v1::JOB_STATE_UNSPECIFIED) {
    return absl::InvalidArgumentError(absl::StrCat("job state, got ", static_cast<int>(state)));
  }
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> update = database_->Prepare(
      "UPDATE jobs SET started_at = COALESCE(started_at, ?1),"
      " ended_at = CASE WHEN ?2 IS NULL THEN NULL WHEN state = ?3 THEN ended_at ELSE ?2 END,"
      " state = ?3, reason = ?4 WHERE number = ?5");
  if (!update.ok()) return update.status();
  const int64_t now_microseconds = absl::ToUnixMicros(now);
  state == v1::RUNNING ? update->BindInteger(now_microseconds) : update->BindNull();
  IsFinal(state) ? update->BindInteger(now_microseconds) : update->BindNull();
  return update->BindText(v1::JobState_Name(state)).BindText(reason).BindInteger(*number).Run();
}

absl::Status JobStore::RecordEpoch(const std::string& job_id, const v1::EpochMetrics& metrics) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> insert = database_->Prepare(
      "INSERT OR REPLACE INTO metrics (job, step, kind, measurement) VALUES (?, ?, 'epoch', ?)");
  if (!insert.ok()) return insert.status();
  return insert->BindInteger(*number)
      .BindInteger(static_cast<int64_t>(metrics.step()))
      .BindBytes(metrics.SerializeAsString())
      .Run();
}

absl::Status JobStore::DropEpochsAfter(const std::string& job_id, uint64_t step) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> remove =
      database_->Prepare("DELETE FROM metrics WHERE job = ? AND kind = 'epoch' AND step > ?");
  if (!remove.ok()) return remove.status();
  return remove->BindInteger(*number).BindInteger(static_cast<int64_t>(step)).Run();
}

absl::Status JobStore::RecordLedger(const std::string& job_id, uint64_t step,
                                    const v1::ExampleLedger& ledger) {
  return RecordNewest(job_id, step, "ledger", ledger);
}

absl::Status JobStore::RecordCounts(const std::string& job_id, uint64_t step,
                                    const v1::Progress& counts) {
  return RecordNewest(job_id, step, "counts", counts);
}

absl::Status JobStore::RecordStaleness(const std::string& job_id, uint64_t step,
                                       const v1::Staleness& staleness) {
  return RecordNewest(job_id, step, "staleness", staleness);
}

absl::Status JobStore::RecordNewest(const std::string& job_id, uint64_t step, const char* kind,
                                    const google::protobuf::MessageLite& measurement) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(*database_);
  if (!transaction.ok()) return transaction.status();
  absl::StatusOr<Statement> remove =
      database_->Prepare("DELETE FROM metrics WHERE job = ? AND kind = ?");
  if (!remove.ok()) return remove.status();
  const absl::Status removed = remove->BindInteger(*number).BindText(kind).Run();
  if (!removed.ok()) return removed;
  absl::StatusOr<Statement> insert =
      database_->Prepare("INSERT INTO metrics (job, step, kind, measurement) VALUES (?, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  const absl::Status inserted = insert->BindInteger(*number)
                                    .BindInteger(static_cast<int64_t>(step))
                                    .BindText(kind)
                                    .BindBytes(measurement.SerializeAsString())
                                    .Run();
  if (!inserted.ok()) return inserted;
  return transaction->Commit();
}

absl::Status JobStore::RecordCheckpoint(const std::string& job_id,
                                        const CheckpointRecord& checkpoint) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> insert = database_->Prepare(
      "INSERT OR REPLACE INTO checkpoints"
      " (job, step, file_name, file_sha256, model_sha256, written_at)"
      " VALUES (?, ?, ?, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  return insert->BindInteger(*number)
      .BindInteger(static_cast<int64_t>(checkpoint.step))
      .BindText(checkpoint.file_name)
      .BindText(checkpoint.file_sha256)
      .BindText(checkpoint.model_sha256)
      .BindInteger(absl::ToUnixMicros(checkpoint.written_at))
      .Run();
}

absl::Status JobStore::DropCheckpoint(const std::string& job_id, uint64_t step) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> remove =
      database_->Prepare("DELETE FROM checkpoints WHERE job = ? AND step = ?");
  if (!remove.ok()) return remove.status();
  return remove->BindInteger(*number).BindInteger(static_cast<int64_t>(step)).Run();
}

absl::StatusOr<std::vector<CheckpointRecord>> JobStore::Checkpoints(const std::string& job_id) {
  const absl::StatusOr<int64_t> number = ParseJobId(job_id);
  std::vector<CheckpointRecord> checkpoints;
  if (!number.ok()) return checkpoints;
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Statement> select = database_->Prepare(
      "SELECT step, file_name, file_sha256, model_sha256, written_at FROM checkpoints"
      " WHERE job = ? ORDER BY step DESC");
  if (!select.ok()) return select.status();
  select->BindInteger(*number);
  absl::StatusOr<bool> row = select->Step();
  for (; row.ok() && *row; row = select->Step()) {
    checkpoints.push_back({static_cast<uint64_t>(select->Integer(0)), select->Bytes(1),
                           select->Bytes(2), select->Bytes(3),
                           absl::FromUnixMicros(select->Integer(4))});
  }
  if (!row.ok()) return row.status();
  return checkpoints;
}

absl::Status JobStore::AddEvent(const std::string& job_id, absl::string_view kind,
                                absl::string_view message, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> insert = database_->Prepare(
      "INSERT INTO events (job, happened_at, kind, message) VALUES (?, ?, ?, ?)");
  if (!insert.ok()) return insert.status();
  return insert->BindInteger(*number)
      .BindInteger(absl::ToUnixMicros(now))
      .BindText(kind)
      .BindText(message)
      .Run();
}

absl::StatusOr<std::vector<JobEvent>> JobStore::Events(const std::string& job_id) {
  const absl::StatusOr<int64_t> number = ParseJobId(job_id);
  std::vector<JobEvent> events;
  if (!number.ok()) return events;
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Statement> select = database_->Prepare(
      "SELECT happened_at, kind, message FROM events WHERE job = ? ORDER BY number");
  if (!select.ok()) return select.status();
  select->BindInteger(*number);
  absl::StatusOr<bool> row = select->Step();
  for (; row.ok() && *row; row = select->Step()) {
    events.push_back(
        {absl::FromUnixMicros(select->Integer(0)), select->Bytes(1), select->Bytes(2)});
  }
  if (!row.ok()) return row.status();
  return events;
}

}  // namespace lockstep::server
