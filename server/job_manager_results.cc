// What JobManager gives clients of a job's past: models, checkpoints, and what
// proves how they came to be.
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job_manager.h"
#include "server/storage/checkpoint.h"
#include "server/storage/checkpoint_history.h"
#include "server/storage/initial_parameters.h"

namespace lockstep::server {

absl::StatusOr<std::string> JobManager::ModelBytes(const std::string& job_id,
                                                   std::optional<uint64_t> step) {
  const auto job = store_->GetJob(job_id);
  if (!job.ok()) return job.status();
  // A running job may replace the checkpoint while it is being read.
  constexpr int kTries = 10;
  absl::Status failure;
  for (int i = 0; i < kTries; ++i) {
    const auto record = FindCheckpoint(*store_, job_id, step);
    if (!record.ok()) return record.status();
    const auto checkpoint = ReadCheckpoint(store_->checkpoints_dir(), job_id, *record);
    if (checkpoint.ok()) return ExportModel(job_id, *checkpoint);
    // That one or none: another model under its name would be a lie.
    failure = absl::IsNotFound(checkpoint.status())
                  ? absl::DataLossError(std::string(checkpoint.status().message()))
                  : checkpoint.status();
    if (absl::IsDataLoss(failure) && job->state() == v1::SUCCEEDED && !step.has_value()) {
      failure = absl::DataLossError(
          absl::StrCat(failure.message(), "; resuming the job computes it again"));
    }
    const auto now = FindCheckpoint(*store_, job_id, step);
    if (!now.ok()) return now.status();
    if (now->step == record->step) break;
  }
  return failure;
}

absl::StatusOr<v1::ListCheckpointsResponse> JobManager::Checkpoints(const std::string& job_id) {
  if (const auto spec = store_->GetSpec(job_id); !spec.ok()) return spec.status();
  const auto records = store_->Checkpoints(job_id);
  if (!records.ok()) return records.status();
  const auto best = BestStep(*store_, job_id, *records);
  if (!best.ok()) return best.status();
  v1::ListCheckpointsResponse response;
  for (auto record = records->rbegin(); record != records->rend(); ++record) {
    struct stat file;
    const std::string path =
        absl::StrCat(store_->checkpoints_dir(), "/", job_id, "/", record->file_name);
    if (stat(path.c_str(), &file) != 0) continue;  // pruned just now, or somebody removed it
    v1::StoredCheckpoint& stored = *response.add_checkpoints();
    stored.set_step(record->step);
    stored.set_size_bytes(static_cast<uint64_t>(file.st_size));
    stored.set_model_sha256(record->model_sha256);
    stored.mutable_written_at()->set_seconds(absl::ToUnixSeconds(record->written_at));
    stored.set_best(record->step == *best);
    const auto measured = store_->EpochAt(job_id, record->step);
    if (!measured.ok()) return measured.status();
    if (!measured->has_value()) continue;
    const v1::EpochMetrics& epoch = **measured;
    stored.set_training_loss(epoch.training_loss());
    if (epoch.has_validation_loss()) stored.set_validation_loss(epoch.validation_loss());
    if (epoch.has_validation_accuracy()) {
      stored.set_validation_accuracy(epoch.validation_accuracy());
    }
  }
  return response;
}

absl::StatusOr<std::string> JobManager::CheckpointBytes(const std::string& job_id, uint64_t step) {
  const auto spec = store_->GetSpec(job_id);
  if (!spec.ok()) return spec.status();
  if (spec->has_forked_from() && spec->forked_from().step() == step) {
    return ReadForkFile(*store_, job_id);
  }
  auto file = ReadCheckpointFile(*store_, job_id, step);
  if (!file.ok()) return file.status();
  return std::move(file->bytes);
}

absl::StatusOr<v1::ListReceiptsResponse> JobManager::Receipts(const std::string& job_id) {
  if (const auto spec = store_->GetSpec(job_id); !spec.ok()) return spec.status();
  const auto receipts = store_->Receipts(job_id);
  if (!receipts.ok()) return receipts.status();
  const auto checkpoints = store_->Checkpoints(job_id);
  if (!checkpoints.ok()) return checkpoints.status();
  v1::ListReceiptsResponse response;
  *response.mutable_receipts() = {receipts->begin(), receipts->end()};
  for (auto record = checkpoints->rbegin(); record != checkpoints->rend(); ++record) {
    response.add_checkpoints(record->step);
  }
  return response;
}

absl::StatusOr<std::vector<v1::Arrivals>> JobManager::Arrivals(const std::string& job_id) {
  return store_->Arrivals(job_id);
}

absl::StatusOr<v1::JobDigests> JobManager::Digests(const std::string& job_id, uint64_t after_step) {
  return store_->Digests(job_id, after_step);
}

}  // namespace lockstep::server
