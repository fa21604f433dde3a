#include "server/storage/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::server {
namespace {

absl::StatusCode CodeFor(int sqlite_code) {
  switch (sqlite_code & 0xff) {  // the rest of an extended code is detail
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

// `handle` may be null: then the code's general text is used.
absl::Status SqliteError(const std::string& path, sqlite3* handle, int code) {
  const char* detail = handle != nullptr && sqlite3_errcode(handle) == (code & 0xff)
                           ? sqlite3_errmsg(handle)
                           : sqlite3_errstr(code);
  return absl::Status(CodeFor(code),
                      absl::StrCat("database ", path, ": ", detail, " (SQLite code ", code, ")"));
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : path_(other.path_),
      handle_(std::exchange(other.handle_, nullptr)),
      bound_(other.bound_),
      error_(other.error_) {}

Statement::~Statement() { sqlite3_finalize(handle_); }

Statement& Statement::Bound(int code) {
  if (code != SQLITE_OK && error_ == SQLITE_OK) error_ = code;
  return *this;
}

Statement& Statement::BindInteger(int64_t value) {
  return Bound(sqlite3_bind_int64(handle_, ++bound_, value));
}

Statement& Statement::BindText(absl::string_view value) {
  return Bound(sqlite3_bind_text64(handle_, ++bound_, value.data(), value.size(), SQLITE_TRANSIENT,
                                   SQLITE_UTF8));
}

Statement& Statement::BindBytes(absl::string_view value) {
  // SQLite would take a null pointer for NULL, also where no bytes are meant.
  const char* data = value.empty() ? "" : value.data();
  return Bound(sqlite3_bind_blob64(handle_, ++bound_, data, value.size(), SQLITE_TRANSIENT));
}

Statement& Statement::BindNull() { return Bound(sqlite3_bind_null(handle_, ++bound_)); }

absl::StatusOr<bool> Statement::Step() {
  if (error_ != SQLITE_OK) return SqliteError(path_, nullptr, error_);
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(path_, sqlite3_db_handle(handle_), code);
}

absl::Status Statement::Run() {
  absl::StatusOr<bool> row = Step();
  while (row.ok() && *row) row = Step();
  return row.status();
}

int64_t Statement::Integer(int column) const { return sqlite3_column_int64(handle_, column); }

std::string Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path,
                                                         absl::Duration busy_timeout) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
  if (code != SQLITE_OK) {
    const absl::Status error = SqliteError(path, handle, code);
    sqlite3_close_v2(handle);
    return error;
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(absl::ToInt64Milliseconds(busy_timeout)));
  return std::unique_ptr<Database>(new Database(path, handle));
}

Database::~Database() { sqlite3_close_v2(handle_); }

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : SqliteError(path_, handle_, code);
}

absl::StatusOr<Statement> Database::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return SqliteError(path_, handle_, code);
  return Statement(path_, statement);
}

absl::StatusOr<int64_t> Database::QueryInteger(absl::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::NotFoundError(absl::StrCat("no row from: ", sql));
  return statement->Integer(0);
}

int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }

int64_t Database::changed_rows() const { return sqlite3_changes64(handle_); }

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  // IMMEDIATE: takes the write lock at once, so that no later statement of the
  // transaction can fail for want of it.
  const absl::Status begun = database.Execute("BEGIN IMMEDIATE");
  if (!begun.ok()) return begun;
  return Transaction(&database);
}

absl::Status Transaction::Commit() {
  const absl::Status committed = database_->Execute("COMMIT");
  if (committed.ok()) database_ = nullptr;
  return committed;
}

Transaction::~Transaction() {
  // Fails where SQLite has rolled back by itself (a full disk): as wanted.
  if (database_ != nullptr) database_->Execute("ROLLBACK").IgnoreError();
}

}  // namespace lockstep::server
