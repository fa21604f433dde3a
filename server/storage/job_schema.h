// The tables of lockstep.db, and how an opened file comes to have them.
#ifndef LOCKSTEP_SERVER_STORAGE_JOB_SCHEMA_H_
#define LOCKSTEP_SERVER_STORAGE_JOB_SCHEMA_H_

#include "absl/status/status.h"
#include "server/storage/sqlite.h"

namespace lockstep::server {

// Rises with every change of the tables; kept in the file's user_version.
inline constexpr int kJobSchemaVersion = 3;

// Sets the connection up, checks that the file is whole, and creates the
// tables in an empty one, and those that an older version's file lacks. FAILED_PRECONDITION: the
// file is another program's or of a newer schema; DATA_LOSS: it is damaged.
absl::Status PrepareJobSchema(Database& database);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_JOB_SCHEMA_H_
