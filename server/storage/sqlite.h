// A thin owner of SQLite's handles: one connection, its statements, its
// transactions, and their errors as absl::Status. It knows no table.
//
// Errors of every function here: RESOURCE_EXHAUSTED (the disk is full),
// DATA_LOSS (the file is damaged or no database; named), UNAVAILABLE (another
// process holds the database for longer than the busy timeout: try again),
// PERMISSION_DENIED (read-only or not to be opened), INTERNAL (all else).
// Threads: one at a time per Database, its statements included.
#ifndef LOCKSTEP_SERVER_STORAGE_SQLITE_H_
#define LOCKSTEP_SERVER_STORAGE_SQLITE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace lockstep::server {

// A prepared statement. Parameters are bound in order (`?`, or `?1`, `?2` ...
// where one is used twice); columns count from 0.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Each binds the next parameter. An error shows in the next Step or Run.
  Statement& BindInteger(int64_t value);
  Statement& BindText(absl::string_view value);
  Statement& BindBytes(absl::string_view value);
  Statement& BindNull();

  // Goes to the next row; false: there is none.
  absl::StatusOr<bool> Step();
  // Runs a statement that gives no rows.
  absl::Status Run();

  // Of the present row. Requires: the last Step gave true.
  int64_t Integer(int column) const;
  std::string Bytes(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  Statement(const std::string& path, sqlite3_stmt* handle) : path_(path), handle_(handle) {}
  Statement& Bound(int code);

  const std::string path_;
  sqlite3_stmt* handle_;
  int bound_ = 0;
  int error_ = 0;  // first failed bind's code; 0: none
};

class Database {
 public:
  // Opens or creates the file. `busy_timeout`: how long a statement waits for
  // other processes (a backup, a curious `sqlite3`) before UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        absl::Duration busy_timeout);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs one or more statements, throwing away their rows.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<Statement> Prepare(absl::string_view sql);
  // The first column of the first row of a query; NOT_FOUND: no row.
  absl::StatusOr<int64_t> QueryInteger(absl::string_view sql);

  // Of the last INSERT, UPDATE or DELETE.
  int64_t last_insert_id() const;
  int64_t changed_rows() const;
  const std::string& path() const { return path_; }

 private:
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  const std::string path_;
  sqlite3* const handle_;
};

// All or nothing: rolls back at its end unless Commit succeeded.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  absl::Status Commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;  // null: ended
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_SQLITE_H_
