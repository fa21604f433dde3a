// JobStore's jobs as clients see them: put together from the tables' rows.
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/storage/job_store.h"

namespace lockstep::server {
namespace {

void SetTimestamp(int64_t microseconds, google::protobuf::Timestamp* timestamp) {
  const absl::Time time = absl::FromUnixMicros(microseconds);
  const int64_t seconds = absl::ToUnixSeconds(time);  // rounds down
  timestamp->set_seconds(seconds);
  timestamp->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

template <typename Message>
absl::Status ParseColumn(const Statement& row, int column, const std::string& what,
                         Message* message) {
  if (message->ParseFromString(row.Bytes(column))) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(what, " cannot be read: its bytes are damaged"));
}

}  // namespace

absl::StatusOr<v1::Job> JobStore::ReadJob(const Statement& row) const {
  v1::Job job;
  job.set_job_id(JobId(row.Integer(0)));
  const std::string place = absl::StrCat("database ", state_dir_, "/lockstep.db: ", job.job_id());
  if (row.Integer(0) < 1) return absl::DataLossError(place + " is no number of a job");
  const absl::Status parsed = ParseColumn(row, 1, place + "'s spec", job.mutable_spec());
  if (!parsed.ok()) return parsed;
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  if (!v1::JobState_Parse(row.Bytes(2), &state)) {
    return absl::DataLossError(absl::StrCat(place, "'s state is unknown: ", row.Bytes(2)));
  }
  job.set_state(state);
  job.set_state_reason(row.Bytes(3));
  SetTimestamp(row.Integer(4), job.mutable_submitted_at());
  if (!row.IsNull(5)) SetTimestamp(row.Integer(5), job.mutable_started_at());
  if (!row.IsNull(6)) SetTimestamp(row.Integer(6), job.mutable_ended_at());
  job.set_checkpoint_step(static_cast<uint64_t>(row.Integer(7)));  // NULL reads as 0
  job.set_model_sha256(row.Bytes(8));
  if (!row.IsNull(10)) {
    v1::Receipt receipt;
    const absl::Status read = ParseColumn(row, 10, place + "'s receipt", &receipt);
    if (!read.ok()) return read;
    job.set_receipt(receipt.receipt());
  }
  if (row.IsNull(9)) return job;
  v1::EpochMetrics newest;
  const absl::Status measured = ParseColumn(row, 9, place + "'s newest measurement", &newest);
  if (!measured.ok()) return measured;
  v1::Progress& progress = *job.mutable_progress();
  if (newest.has_validation_loss()) progress.set_validation_loss(newest.validation_loss());
  if (newest.has_validation_accuracy()) {
    progress.set_validation_accuracy(newest.validation_accuracy());
  }
  return job;
}

absl::StatusOr<std::vector<v1::Job>> JobStore::ReadJobs(absl::string_view condition_and_order) {
  absl::StatusOr<Statement> select = database_->Prepare(absl::StrCat(
      "SELECT number, spec, state, reason, submitted_at, started_at, ended_at,"
      " checkpoints.step, checkpoints.model_sha256, metrics.measurement, receipts.receipt"
      " FROM jobs"
      " LEFT JOIN checkpoints ON checkpoints.job = number AND checkpoints.step ="
      " (SELECT MAX(step) FROM checkpoints WHERE job = number)"
      " LEFT JOIN receipts ON receipts.job = number AND receipts.step = checkpoints.step"
      " LEFT JOIN metrics ON metrics.job = number AND metrics.kind = 'epoch' AND metrics.step ="
      " (SELECT MAX(step) FROM metrics WHERE job = number AND kind = 'epoch') ",
      condition_and_order));
  if (!select.ok()) return select.status();
  std::vector<v1::Job> jobs;
  absl::StatusOr<bool> row = select->Step();
  for (; row.ok() && *row; row = select->Step()) {
    absl::StatusOr<v1::Job> job = ReadJob(*select);
    if (!job.ok()) return job.status();
    jobs.push_back(*std::move(job));
  }
  if (!row.ok()) return row.status();
  return jobs;
}

absl::Status JobStore::ReadEpochs(int64_t number, v1::Progress& progress) {
  absl::StatusOr<Statement> select = database_->Prepare(
      "SELECT measurement FROM metrics WHERE job = ? AND kind = 'epoch' ORDER BY step");
  if (!select.ok()) return select.status();
  select->BindInteger(number);
  absl::StatusOr<bool> row = select->Step();
  for (; row.ok() && *row; row = select->Step()) {
    const absl::Status parsed = ParseColumn(
        *select, 0,
        absl::StrCat("database ", database_->path(), ": ", JobId(number), "'s measurements"),
        progress.add_epochs());
    if (!parsed.ok()) return parsed;
  }
  return row.status();
}

absl::StatusOr<bool> JobStore::ReadNewest(int64_t number, const char* kind,
                                          google::protobuf::MessageLite* measurement) {
  absl::StatusOr<Statement> select =
      database_->Prepare("SELECT measurement FROM metrics WHERE job = ? AND kind = ?");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row = select->BindInteger(number).BindText(kind).Step();
  if (!row.ok() || !*row) return row;
  const absl::Status parsed = ParseColumn(
      *select, 0, absl::StrCat("database ", database_->path(), ": ", JobId(number), "'s ", kind),
      measurement);
  if (!parsed.ok()) return parsed;
  return true;
}

absl::Status JobStore::ReadLedger(int64_t number, v1::Progress& progress) {
  v1::ExampleLedger ledger;
  v1::Staleness staleness;
  const absl::StatusOr<bool> has_ledger = ReadNewest(number, "ledger", &ledger);
  if (!has_ledger.ok()) return has_ledger.status();
  const absl::StatusOr<bool> has_staleness = ReadNewest(number, "staleness", &staleness);
  if (!has_staleness.ok()) return has_staleness.status();
  v1::Progress counts;
  const absl::StatusOr<bool> has_counts = ReadNewest(number, "counts", &counts);
  if (!has_counts.ok()) return has_counts.status();
  progress.MergeFrom(counts);
  if (*has_ledger) *progress.mutable_ledger() = ledger;
  if (*has_staleness) *progress.mutable_staleness() = staleness;
  return absl::OkStatus();
}

absl::StatusOr<v1::Job> JobStore::GetJob(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<std::vector<v1::Job>> jobs = ReadJobs(absl::StrCat("WHERE number = ", *number));
  if (!jobs.ok()) return jobs.status();
  v1::Job& job = jobs->front();
  const absl::Status read = ReadEpochs(*number, *job.mutable_progress());
  if (!read.ok()) return read;
  const absl::Status counted = ReadLedger(*number, *job.mutable_progress());
  if (!counted.ok()) return counted;
  return std::move(job);
}

absl::StatusOr<v1::JobSpec> JobStore::GetSpec(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> select = database_->Prepare("SELECT spec FROM jobs WHERE number = ?");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row = select->BindInteger(*number).Step();
  if (!row.ok()) return row.status();
  v1::JobSpec spec;
  const absl::Status parsed = ParseColumn(
      *select, 0, absl::StrCat("database ", database_->path(), ": ", JobId(*number), "'s spec"),
      &spec);
  if (!parsed.ok()) return parsed;
  return spec;
}

absl::StatusOr<std::optional<v1::EpochMetrics>> JobStore::EpochAt(const std::string& job_id,
                                                                  uint64_t step) {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<int64_t> number = ExistingNumber(job_id);
  if (!number.ok()) return number.status();
  absl::StatusOr<Statement> select = database_->Prepare(
      "SELECT measurement FROM metrics WHERE job = ? AND kind = 'epoch' AND step = ?");
  if (!select.ok()) return select.status();
  select->BindInteger(*number).BindInteger(static_cast<int64_t>(step));
  const absl::StatusOr<bool> row = select->Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  v1::EpochMetrics metrics;
  const absl::Status parsed = ParseColumn(
      *select, 0,
      absl::StrCat("database ", database_->path(), ": ", JobId(*number), "'s measurements"),
      &metrics);
  if (!parsed.ok()) return parsed;
  return metrics;
}

absl::StatusOr<std::vector<v1::Job>> JobStore::ListJobs() {
  absl::MutexLock lock(&mutex_);
  return ReadJobs("ORDER BY number DESC");
}

absl::StatusOr<std::vector<v1::Job>> JobStore::UnfinishedJobs() {
  absl::MutexLock lock(&mutex_);
  return ReadJobs("WHERE state IN ('QUEUED', 'RUNNING') ORDER BY number");
}

}  // namespace lockstep::server
