// Receipts: what a checkpoint is the result of, each bound to the one before, so
// that a job's last one vouches for all of them.
#ifndef LOCKSTEP_ENGINE_MODEL_RECEIPT_H_
#define LOCKSTEP_ENGINE_MODEL_RECEIPT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep {

// What the first receipt of a job that begins anew has as `previous`: 64 zeros.
std::string NoReceipt();

// SHA-256 (hex) of these lines, each ended by a line feed, with the receipt's
// fields in place of the names: "lockstep receipt 1", "job job_sha256",
// "data data_sha256", "step step", "model model_sha256", "state state_sha256",
// "previous previous".
std::string HashOfReceipt(const v1::Receipt& receipt);

// Whether `receipts`, oldest first, are a chain: each one's hash its own, each
// one's `previous` the hash of the one before, steps rising, all of one job's
// file and data. DataLoss: not so, naming the step.
absl::Status CheckReceiptChain(const std::vector<v1::Receipt>& receipts);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_RECEIPT_H_
