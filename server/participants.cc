#include "server/participants.h"

#include "absl/strings/str_cat.h"

namespace lockstep::server {

absl::Status CheckJobReady(const JobPlan& plan, const v1::JobReady& message) {
  if (message.training_examples() == plan.training_examples &&
      message.validation_examples() == plan.validation_examples) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("job_ready: got ", message.training_examples(), " training and ",
                   message.validation_examples(), " validation examples, want ",
                   plan.training_examples, " and ", plan.validation_examples));
}

v1::ServerMessage PrepareJobMessage(const std::string& job_id, const v1::JobSpec& spec,
                                    int64_t chunk_elements) {
  v1::ServerMessage message;
  message.mutable_prepare_job()->set_job_id(job_id);
  *message.mutable_prepare_job()->mutable_spec() = spec;
  message.mutable_prepare_job()->set_chunk_elements(static_cast<uint32_t>(chunk_elements));
  return message;
}

}  // namespace lockstep::server
