#include "server/storage/receipt_chain.h"

#include <optional>

#include "engine/model/job_identity.h"
#include "engine/model/receipt.h"

namespace lockstep::server {

absl::StatusOr<v1::Receipt> NextReceipt(JobStore& store, const std::string& job_id,
                                        const Checkpoint& checkpoint) {
  const absl::StatusOr<v1::Job> job = store.GetJob(job_id);
  if (!job.ok()) return job.status();
  const auto before = store.ReceiptBefore(job_id, checkpoint.step);
  if (!before.ok()) return before.status();
  v1::Receipt receipt;
  receipt.set_step(checkpoint.step);
  receipt.set_job_sha256(JobSha256(job->spec()));
  receipt.set_data_sha256(DataSha256(job->spec()));
  receipt.set_model_sha256(ModelSha256Of(checkpoint));
  receipt.set_state_sha256(StateSha256Of(checkpoint));
  // A forked job's chain begins with the checkpoint that it goes on from.
  receipt.set_previous(job->spec().has_forked_from() ? job->spec().forked_from().checkpoint_sha256()
                                                     : NoReceipt());
  if (before->has_value()) receipt.set_previous((*before)->receipt());
  receipt.set_receipt(HashOfReceipt(receipt));
  return receipt;
}

}  // namespace lockstep::server
