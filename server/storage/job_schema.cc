#include "server/storage/job_schema.h"

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace lockstep::server {
namespace {

// "LKST": tells our files from other programs'.
constexpr int kApplicationId = 0x4c4b5354;

// synchronous=FULL: each commit is synced. NORMAL would be faster but may lose
// the last commits with the power, and a submitted job would be gone after the
// client was told its id. There are only a few commits a second.
// journal_mode=WAL: readers (`sqlite3 lockstep.db`) do not stop the server.
constexpr char kConnection[] = R"(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
)";

// Times are microseconds since 1970. A job's `number` is that of its id.
constexpr char kTables[] = R"(
CREATE TABLE last_job (number INTEGER NOT NULL) STRICT;
INSERT INTO last_job VALUES (0);
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY,
  spec BLOB NOT NULL,            -- lockstep.v1.JobSpec
  state TEXT NOT NULL,           -- name of a lockstep.v1.JobState
  reason TEXT NOT NULL,
  submitted_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER
) STRICT;
CREATE TABLE metrics (
  job INTEGER NOT NULL REFERENCES jobs (number),
  step INTEGER NOT NULL,
  kind TEXT NOT NULL,            -- "epoch"; "ledger", "counts", "staleness": one row, the newest
  measurement BLOB NOT NULL,     -- lockstep.v1.EpochMetrics, ExampleLedger, Progress, Staleness
  PRIMARY KEY (job, kind, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
  job INTEGER NOT NULL REFERENCES jobs (number),
  step INTEGER NOT NULL,
  file_name TEXT NOT NULL,
  file_sha256 TEXT NOT NULL,
  model_sha256 TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  PRIMARY KEY (job, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
  number INTEGER PRIMARY KEY,
  job INTEGER NOT NULL REFERENCES jobs (number),
  happened_at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_job ON events (job, number);
)";

// Since schema 2.
constexpr char kTablesOfProof[] = R"(
CREATE TABLE receipts (
  job INTEGER NOT NULL REFERENCES jobs (number),
  step INTEGER NOT NULL,
  receipt BLOB NOT NULL,         -- lockstep.v1.Receipt
  PRIMARY KEY (job, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE digests (
  job INTEGER NOT NULL REFERENCES jobs (number),
  step INTEGER NOT NULL,
  digest BLOB NOT NULL,          -- lockstep.v1.StepDigest
  PRIMARY KEY (job, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE digested_tensors (
  job INTEGER PRIMARY KEY REFERENCES jobs (number),
  names BLOB NOT NULL            -- lockstep.v1.JobDigests without steps
) STRICT;
)";

// Since schema 3.
constexpr char kTablesOfArrivals[] = R"(
CREATE TABLE arrivals (
  job INTEGER NOT NULL REFERENCES jobs (number),
  step INTEGER NOT NULL,         -- everything before it has arrived
  arrivals BLOB NOT NULL,        -- lockstep.v1.Arrivals, since the row before
  PRIMARY KEY (job, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE replays (
  job INTEGER PRIMARY KEY REFERENCES jobs (number),
  arrivals BLOB NOT NULL         -- lockstep.v1.Arrivals, all of them
) STRICT;
)";

absl::Status CreateTables(Database& database) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(database);
  if (!transaction.ok()) return transaction.status();
  const absl::Status created = database.Execute(absl::StrCat(
      kTables, kTablesOfProof, kTablesOfArrivals, "PRAGMA application_id = ", kApplicationId,
      "; PRAGMA user_version = ", kJobSchemaVersion, ";"));
  if (!created.ok()) return created;
  return transaction->Commit();
}

// Brings a file of schema `version` up to date.
absl::Status AddTables(Database& database, int64_t version) {
  absl::StatusOr<Transaction> transaction = Transaction::Begin(database);
  if (!transaction.ok()) return transaction.status();
  const absl::Status added =
      database.Execute(absl::StrCat(version < 2 ? kTablesOfProof : "", kTablesOfArrivals,
                                    "PRAGMA user_version = ", kJobSchemaVersion, ";"));
  if (!added.ok()) return added;
  return transaction->Commit();
}

// Reads every page once: a damaged file shows at start, not in mid-training.
absl::Status CheckWhole(Database& database) {
  absl::StatusOr<Statement> check = database.Prepare("PRAGMA quick_check(1)");
  if (!check.ok()) return check.status();
  const absl::StatusOr<bool> row = check->Step();
  if (!row.ok()) return row.status();
  const std::string verdict = *row ? check->Bytes(0) : "no verdict";
  if (verdict == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("database ", database.path(), " is damaged: ", verdict));
}

}  // namespace

absl::Status PrepareJobSchema(Database& database) {
  // First of all a read, so that nothing is written into a file not ours.
  const absl::StatusOr<int64_t> tables =
      database.QueryInteger("SELECT COUNT(*) FROM sqlite_master");
  if (!tables.ok()) return tables.status();
  const absl::StatusOr<int64_t> application = database.QueryInteger("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> version = database.QueryInteger("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const bool is_new = *tables == 0 && *application == 0 && *version == 0;
  if (!is_new && *application != kApplicationId) {
    return absl::FailedPreconditionError(
        absl::StrCat("database ", database.path(), " was not made by Lockstep"));
  }
  if (*version > kJobSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "database ", database.path(), ": schema version, got ", *version, ", want at most ",
        kJobSchemaVersion, ": it was made by a newer lockstep-server; start that one"));
  }
  const absl::Status connected = database.Execute(kConnection);
  if (!connected.ok()) return connected;
  if (is_new) return CreateTables(database);
  const absl::Status whole = CheckWhole(database);
  if (!whole.ok() || *version == kJobSchemaVersion) return whole;
  return AddTables(database, *version);
}

}  // namespace lockstep::server
