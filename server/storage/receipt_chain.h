// The receipts (engine/model/receipt.h) of a job's states, each bound to the chain's one
// before it.
#ifndef LOCKSTEP_SERVER_STORAGE_RECEIPT_CHAIN_H_
#define LOCKSTEP_SERVER_STORAGE_RECEIPT_CHAIN_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lockstep/v1/job_service.pb.h"
#include "server/storage/checkpoint.h"
#include "server/storage/job_store.h"

namespace lockstep::server {

// The receipts of these states, oldest first, which come after those on record.
// Errors: as JobStore's.
absl::StatusOr<std::vector<v1::Receipt>> NextReceipts(JobStore& store, const std::string& job_id,
                                                      const std::vector<Checkpoint>& states);

// Puts the receipts of those of the states on record that belong to the chain: of
// checkpoints whose files are not written, as a newer one is there already.
absl::Status RecordReceiptsOnly(JobStore& store, const std::string& job_id,
                                const std::vector<Checkpoint>& states);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_RECEIPT_CHAIN_H_
