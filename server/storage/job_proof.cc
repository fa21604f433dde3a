// JobStore's receipts and digests: what proves how a job came to its model.
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/storage/job_store.h"

namespace lockstep::server {
namespace {

absl::Status Damaged(const std::string& job_id, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("database: ", job_id, "'s ", what, " cannot be read: their bytes are damaged"));
}

}  // namespace

absl::Status JobStore::RecordReceipts(const std::string& job_id,
                                      const std::vector<v1::Receipt>& receipts) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(*database_);
  if (!transaction.ok()) return transaction.status();
  for (const v1::Receipt& receipt : receipts) {
    absl::StatusOr<Statement> insert =
        database_->Prepare("INSERT OR REPLACE INTO receipts (job, step, receipt) VALUES (?, ?, ?)");
    if (!insert.ok()) return insert.status();
    const absl::Status inserted = insert->BindInteger(*number)
                                      .BindInteger(static_cast<int64_t>(receipt.step()))
                                      .BindBytes(receipt.SerializeAsString())
                                      .Run();
    if (!inserted.ok()) return inserted;
  }
  return transaction->Commit();
}

absl::StatusOr<std::optional<v1::Receipt>> JobStore::ReceiptBefore(const std::string& job_id,
                                                                   uint64_t step) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> select = database_->Prepare(
      "SELECT receipt FROM receipts WHERE job = ? AND step < ? ORDER BY step DESC LIMIT 1");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row =
      select->BindInteger(*number).BindInteger(static_cast<int64_t>(step)).Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::optional<v1::Receipt>();
  v1::Receipt receipt;
  if (!receipt.ParseFromString(select->Bytes(0))) return Damaged(job_id, "receipts");
  return std::optional<v1::Receipt>(std::move(receipt));
}

absl::StatusOr<std::vector<v1::Receipt>> JobStore::Receipts(const std::string& job_id) {
  std::vector<v1::Receipt> receipts;
  const absl::StatusOr<int64_t> number = ParseJobId(job_id);
  if (!number.ok()) return receipts;
  absl::MutexLock lock(&mutex_);
  absl::StatusOr<Statement> select =
      database_->Prepare("SELECT receipt FROM receipts WHERE job = ? ORDER BY step");
  if (!select.ok()) return select.status();
  select->BindInteger(*number);
  absl::StatusOr<bool> row = select->Step();
  for (; row.ok() && *row; row = select->Step()) {
    if (!receipts.emplace_back().ParseFromString(select->Bytes(0))) {
      return Damaged(job_id, "receipts");
    }
  }
  if (!row.ok()) return row.status();
  return receipts;
}

absl::Status JobStore::RecordDigests(const std::string& job_id, const v1::JobDigests& digests) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(*database_);
  if (!transaction.ok()) return transaction.status();
  v1::JobDigests names;
  *names.mutable_tensors() = digests.tensors();
  absl::StatusOr<Statement> insert_names =
      database_->Prepare("INSERT OR REPLACE INTO digested_tensors (job, names) VALUES (?, ?)");
  if (!insert_names.ok()) return insert_names.status();
  absl::Status status =
      insert_names->BindInteger(*number).BindBytes(names.SerializeAsString()).Run();
  for (const v1::StepDigest& digest : digests.steps()) {
    if (!status.ok()) return status;
    absl::StatusOr<Statement> insert =
        database_->Prepare("INSERT OR REPLACE INTO digests (job, step, digest) VALUES (?, ?, ?)");
    if (!insert.ok()) return insert.status();
    status = insert->BindInteger(*number)
                 .BindInteger(static_cast<int64_t>(digest.step()))
                 .BindBytes(digest.SerializeAsString())
                 .Run();
  }
  return status.ok() ? transaction->Commit() : status;
}

absl::StatusOr<v1::JobDigests> JobStore::Digests(const std::string& job_id, uint64_t after_step) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  v1::JobDigests digests;
  absl::StatusOr<Statement> names =
      database_->Prepare("SELECT names FROM digested_tensors WHERE job = ?");
  if (!names.ok()) return names.status();
  absl::StatusOr<bool> row = names->BindInteger(*number).Step();
  if (!row.ok()) return row.status();
  if (*row && !digests.ParseFromString(names->Bytes(0))) return Damaged(job_id, "digests");
  absl::StatusOr<Statement> select =
      database_->Prepare("SELECT digest FROM digests WHERE job = ? AND step > ? ORDER BY step");
  if (!select.ok()) return select.status();
  select->BindInteger(*number).BindInteger(static_cast<int64_t>(after_step));
  row = select->Step();
  for (; row.ok() && *row; row = select->Step()) {
    if (!digests.add_steps()->ParseFromString(select->Bytes(0))) {
      return Damaged(job_id, "digests");
    }
  }
  if (!row.ok()) return row.status();
  return digests;
}

absl::Status JobStore::RecordArrivals(const std::string& job_id, const v1::Arrivals& arrivals) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> insert =
      database_->Prepare("INSERT OR REPLACE INTO arrivals (job, step, arrivals) VALUES (?, ?, ?)");
  if (!insert.ok()) return insert.status();
  return insert->BindInteger(*number)
      .BindInteger(static_cast<int64_t>(arrivals.step()))
      .BindBytes(arrivals.SerializeAsString())
      .Run();
}

absl::StatusOr<std::vector<v1::Arrivals>> JobStore::Arrivals(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> select =
      database_->Prepare("SELECT arrivals FROM arrivals WHERE job = ? ORDER BY step");
  if (!select.ok()) return select.status();
  select->BindInteger(*number);
  std::vector<v1::Arrivals> arrivals;
  absl::StatusOr<bool> row = select->Step();
  for (; row.ok() && *row; row = select->Step()) {
    if (!arrivals.emplace_back().ParseFromString(select->Bytes(0))) {
      return Damaged(job_id, "arrivals");
    }
  }
  if (!row.ok()) return row.status();
  return arrivals;
}

absl::Status JobStore::RecordReplay(const std::string& job_id, const v1::Arrivals& arrivals) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> insert =
      database_->Prepare("INSERT OR REPLACE INTO replays (job, arrivals) VALUES (?, ?)");
  if (!insert.ok()) return insert.status();
  return insert->BindInteger(*number).BindBytes(arrivals.SerializeAsString()).Run();
}

absl::StatusOr<v1::Arrivals> JobStore::Replay(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> select =
      database_->Prepare("SELECT arrivals FROM replays WHERE job = ?");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row = select->BindInteger(*number).Step();
  if (!row.ok()) return row.status();
  v1::Arrivals arrivals;
  if (*row && !arrivals.ParseFromString(select->Bytes(0))) return Damaged(job_id, "arrivals");
  return arrivals;
}

absl::Status JobStore::DropProofAfter(const std::string& job_id, uint64_t step) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  for (const char* table : {"receipts", "digests", "arrivals"}) {
    absl::StatusOr<Statement> remove =
        database_->Prepare(absl::StrCat("DELETE FROM ", table, " WHERE job = ? AND step > ?"));
    if (!remove.ok()) return remove.status();
    const absl::Status removed =
        remove->BindInteger(*number).BindInteger(static_cast<int64_t>(step)).Run();
    if (!removed.ok()) return removed;
  }
  return absl::OkStatus();
}

}  // namespace lockstep::server
