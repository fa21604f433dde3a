#include "engine/model/receipt.h"

#include "absl/strings/str_cat.h"
#include "engine/data/sha256.h"
#include "engine/model/job_plan.h"

namespace lockstep {

std::string NoReceipt() { return std::string(64, '0'); }

std::string HashOfReceipt(const v1::Receipt& receipt) {
  return data::Sha256Hex(absl::StrCat("lockstep receipt 1\njob ", receipt.job_sha256(), "\ndata ",
                                      receipt.data_sha256(), "\nstep ", receipt.step(), "\nmodel ",
                                      receipt.model_sha256(), "\nstate ", receipt.state_sha256(),
                                      "\nprevious ", receipt.previous(), "\n"));
}

bool IsChained(const v1::JobSpec& spec, uint64_t step) {
  const uint64_t begin = spec.has_forked_from() ? spec.forked_from().step() : 0;
  if (step <= begin) return false;
  const uint64_t interval = spec.checkpoint().interval_steps();
  return JobPlan::For(spec).EndsEpoch(step) || (interval > 0 && step % interval == 0);
}

namespace {

// `chained`: what the receipt is to be bound to.
absl::Status CheckAfter(const v1::Receipt& receipt, const v1::Receipt& before,
                        const std::string& chained, const std::string& place) {
  if (receipt.previous() != chained && receipt.previous() != before.receipt()) {
    return absl::DataLossError(
        absl::StrCat(place, "got previous ", receipt.previous(), ", want ", chained));
  }
  if (receipt.step() <= before.step()) {
    return absl::DataLossError(absl::StrCat(place, "comes after step ", before.step()));
  }
  if (receipt.job_sha256() != before.job_sha256() ||
      receipt.data_sha256() != before.data_sha256()) {
    return absl::DataLossError(absl::StrCat(place, "is of another job file or other data"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckReceiptChain(const v1::JobSpec& spec, const std::vector<v1::Receipt>& receipts) {
  const v1::Receipt* before = nullptr;
  std::string chained = receipts.empty() ? "" : receipts.front().previous();
  for (const v1::Receipt& receipt : receipts) {
    const std::string place = absl::StrCat("receipt of step ", receipt.step(), ": ");
    if (HashOfReceipt(receipt) != receipt.receipt()) {
      return absl::DataLossError(absl::StrCat(place, "its fields give ", HashOfReceipt(receipt),
                                              ", want ", receipt.receipt()));
    }
    if (before != nullptr) {
      const absl::Status follows = CheckAfter(receipt, *before, chained, place);
      if (!follows.ok()) return follows;
    }
    before = &receipt;
    if (IsChained(spec, receipt.step())) chained = receipt.receipt();
  }
  return absl::OkStatus();
}

}  // namespace lockstep
