#include "server/storage/receipt_chain.h"

#include <optional>
#include <utility>

#include "engine/model/job_identity.h"
#include "engine/model/receipt.h"

namespace lockstep::server {
namespace {

// The newest receipt of the chain before `step`.
absl::StatusOr<std::optional<v1::Receipt>> ChainedBefore(JobStore& store, const std::string& job_id,
                                                         const v1::JobSpec& spec, uint64_t step) {
  while (true) {
    auto before = store.ReceiptBefore(job_id, step);
    if (!before.ok() || !before->has_value()) return before;
    if (IsChained(spec, (*before)->step())) return before;
    step = (*before)->step();
  }
}

}  // namespace

absl::StatusOr<std::vector<v1::Receipt>> NextReceipts(JobStore& store, const std::string& job_id,
                                                      const std::vector<Checkpoint>& states) {
  std::vector<v1::Receipt> receipts;
  if (states.empty()) return receipts;
  const absl::StatusOr<v1::JobSpec> spec = store.GetSpec(job_id);
  if (!spec.ok()) return spec.status();
  const auto before = ChainedBefore(store, job_id, *spec, states.front().step);
  if (!before.ok()) return before.status();
  // A forked job's chain begins with the checkpoint that it goes on from.
  std::string previous =
      spec->has_forked_from() ? spec->forked_from().checkpoint_sha256() : NoReceipt();
  if (before->has_value()) previous = (*before)->receipt();
  const std::string job_sha256 = JobSha256(*spec);
  const std::string data_sha256 = DataSha256(*spec);
  for (const Checkpoint& state : states) {
    v1::Receipt& receipt = receipts.emplace_back();
    receipt.set_step(state.step);
    receipt.set_job_sha256(job_sha256);
    receipt.set_data_sha256(data_sha256);
    receipt.set_model_sha256(ModelSha256Of(state));
    receipt.set_state_sha256(StateSha256Of(state));
    receipt.set_previous(previous);
    receipt.set_receipt(HashOfReceipt(receipt));
    if (IsChained(*spec, state.step)) previous = receipt.receipt();
  }
  return receipts;
}

absl::Status RecordReceiptsOnly(JobStore& store, const std::string& job_id,
                                const std::vector<Checkpoint>& states) {
  const absl::StatusOr<v1::JobSpec> spec = store.GetSpec(job_id);
  if (!spec.ok()) return spec.status();
  std::vector<Checkpoint> chained;
  for (const Checkpoint& state : states) {
    if (IsChained(*spec, state.step)) chained.push_back(state);  // shares the tensors
  }
  if (chained.empty()) return absl::OkStatus();
  const auto receipts = NextReceipts(store, job_id, chained);
  return receipts.ok() ? store.RecordReceipts(job_id, *receipts) : receipts.status();
}

}  // namespace lockstep::server
