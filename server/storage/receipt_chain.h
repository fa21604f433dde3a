// The receipts (engine/model/receipt.h) of a job's checkpoints, each bound to the one
// before.
#ifndef LOCKSTEP_SERVER_STORAGE_RECEIPT_CHAIN_H_
#define LOCKSTEP_SERVER_STORAGE_RECEIPT_CHAIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "lockstep/v1/job_service.pb.h"
#include "server/storage/checkpoint.h"
#include "server/storage/job_store.h"

namespace lockstep::server {

// The receipt that comes after those on record. Errors: as JobStore's.
absl::StatusOr<v1::Receipt> NextReceipt(JobStore& store, const std::string& job_id,
                                        const Checkpoint& checkpoint);

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_STORAGE_RECEIPT_CHAIN_H_
