// Receipts: what a checkpoint is the result of, each bound to one before, so that a
// job's last one vouches for all of them.
//
// The chain has the steps that the job file defines, so that it is the same for every
// run of a job. A checkpoint at another step (checkpoint.interval_seconds, a pause, a
// server that stops) has a receipt beside the chain: bound to the newest one of the
// chain before it, and none is bound to it.
#ifndef LOCKSTEP_ENGINE_MODEL_RECEIPT_H_
#define LOCKSTEP_ENGINE_MODEL_RECEIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lockstep/v1/job.pb.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep {

// What the first receipt of a job that begins anew has as `previous`: 64 zeros.
std::string NoReceipt();

// SHA-256 (hex) of these lines, each ended by a line feed, with the receipt's
// fields in place of the names: "lockstep receipt 1", "job job_sha256",
// "data data_sha256", "step step", "model model_sha256", "state state_sha256",
// "previous previous".
std::string HashOfReceipt(const v1::Receipt& receipt);

// Whether a run of the job, however fast, keeps its state after so many committed steps:
// at an epoch's end, at the job's, and every checkpoint.interval_steps. `spec`: valid,
// with defaults and data_summary.
bool IsChained(const v1::JobSpec& spec, uint64_t step);

// Whether `receipts`, oldest first, are the job's: each one's hash its own, each one's
// `previous` the hash of the chain's one before it, steps rising, all of one job's file
// and data. Where an older server bound all of them one to another, that is right too.
// DataLoss: not so, naming the step.
absl::Status CheckReceiptChain(const v1::JobSpec& spec, const std::vector<v1::Receipt>& receipts);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_RECEIPT_H_
