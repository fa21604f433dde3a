#include "client/pull_model.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/atomic_file.h"
#include "client/command.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

// A running job may write a checkpoint between two calls; one that does so
// every time is not worth chasing.
constexpr int kAttempts = 3;

// What came, in a file that is not yet in its place.
struct Fetched {
  AtomicFile file;
  std::string sha256;
  uint64_t size_bytes = 0;
};

absl::StatusOr<Fetched> Fetch(const Environment& environment, JobClient* client,
                              const std::string& job_id, std::optional<uint64_t> step,
                              const std::string& path) {
  absl::StatusOr<AtomicFile> file = AtomicFile::Create(path);
  if (!file.ok()) return file.status();
  uint64_t size_bytes = 0;
  const absl::Status status = client->Pull(job_id, step, [&](absl::string_view piece) {
    size_bytes += piece.size();
    return file->Write(piece);
  });
  if (!status.ok()) return status;
  absl::StatusOr<std::string> sha256 = environment.hash_model(file->temporary_path());
  if (!sha256.ok()) {
    return absl::DataLossError(absl::StrCat("the model that the server sent for ", job_id,
                                            " cannot be read: ", sha256.status().message()));
  }
  return Fetched{*std::move(file), *std::move(sha256), size_bytes};
}

absl::Status WrongHash(const std::string& job_id, const std::string& got, const std::string& want) {
  return absl::DataLossError(absl::StrCat("the model's sha256: got ", got, ", want ", want, " (",
                                          job_id, "); nothing was written"));
}

std::string Steps(const v1::ListCheckpointsResponse& list) {
  return absl::StrJoin(list.checkpoints(), ", ",
                       [](std::string* out, const v1::StoredCheckpoint& checkpoint) {
                         absl::StrAppend(out, checkpoint.step());
                       });
}

// What the server has on record of the checkpoint: its row, and its receipt where
// there is one. DataLoss: the two differ.
absl::StatusOr<std::string> RecordedSha256(JobClient* client, const std::string& job_id,
                                           uint64_t step) {
  const auto list = client->ListCheckpoints(job_id);
  if (!list.ok()) return ExplainJobError(list.status(), job_id);
  std::string sha256;
  for (const v1::StoredCheckpoint& checkpoint : list->checkpoints()) {
    if (checkpoint.step() == step) sha256 = checkpoint.model_sha256();
  }
  if (sha256.empty()) {
    return absl::FailedPreconditionError(
        list->checkpoints().empty() ? absl::StrCat(job_id, ": no checkpoint yet")
                                    : absl::StrCat(job_id, ": no checkpoint of step ", step,
                                                   ", there are those of ", Steps(*list)));
  }
  const auto receipts = client->ListReceipts(job_id);
  if (!receipts.ok()) return receipts.status();
  for (const v1::Receipt& receipt : receipts->receipts()) {
    if (receipt.step() != step || receipt.model_sha256() == sha256) continue;
    return absl::DataLossError(absl::StrCat(job_id, ": checkpoint of step ", step, ": sha256, got ",
                                            sha256, ", want its receipt's, ",
                                            receipt.model_sha256()));
  }
  return sha256;
}

}  // namespace

absl::StatusOr<PulledModel> PullModel(const Environment& environment, JobClient* client,
                                      const std::string& job_id, const std::string& path) {
  absl::StatusOr<v1::Job> before = client->Get(job_id);
  if (!before.ok()) return ExplainJobError(before.status(), job_id);
  std::string got;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    absl::StatusOr<Fetched> fetched =
        Fetch(environment, client, job_id, /*step=*/std::nullopt, path);
    if (!fetched.ok()) return fetched.status();
    got = fetched->sha256;
    // The checkpoint that came is the one known before, or a newer one.
    absl::StatusOr<v1::Job> after = client->Get(job_id);
    if (!after.ok()) return after.status();
    for (const v1::Job* job : {&*before, &*after}) {
      if (job->model_sha256() != got) continue;
      absl::Status committed = fetched->file.Commit();
      if (!committed.ok()) return committed;
      return PulledModel{got, job->checkpoint_step(), fetched->size_bytes};
    }
    before = std::move(after);
  }
  return WrongHash(job_id, got, before->model_sha256());
}

absl::StatusOr<PulledModel> PullModelOfStep(const Environment& environment, JobClient* client,
                                            const std::string& job_id, uint64_t step,
                                            const std::string& path) {
  const absl::StatusOr<std::string> wanted = RecordedSha256(client, job_id, step);
  if (!wanted.ok()) return wanted.status();
  absl::StatusOr<Fetched> fetched = Fetch(environment, client, job_id, step, path);
  if (!fetched.ok()) return fetched.status();
  if (fetched->sha256 != *wanted) return WrongHash(job_id, fetched->sha256, *wanted);
  const absl::Status committed = fetched->file.Commit();
  if (!committed.ok()) return committed;
  return PulledModel{fetched->sha256, step, fetched->size_bytes};
}

absl::StatusOr<uint64_t> FindBestStep(JobClient* client, const std::string& job_id,
                                      std::string* note) {
  const auto list = client->ListCheckpoints(job_id);
  if (!list.ok()) return ExplainJobError(list.status(), job_id);
  const auto job = client->Get(job_id);
  if (!job.ok()) return job.status();
  for (const v1::StoredCheckpoint& checkpoint : list->checkpoints()) {
    if (!checkpoint.best()) continue;
    const v1::EpochMetrics* lowest = nullptr;
    for (const v1::EpochMetrics& epoch : job->progress().epochs()) {
      if (!epoch.has_validation_loss() || epoch.validation_loss() >= checkpoint.validation_loss()) {
        continue;
      }
      if (lowest == nullptr || epoch.validation_loss() < lowest->validation_loss()) lowest = &epoch;
    }
    if (lowest != nullptr) {
      *note = absl::StrCat("the lowest validation loss was that of step ", lowest->step(), ", ",
                           Loss(lowest->validation_loss()), ", whose checkpoint is not kept ",
                           "(checkpoint.keep_best keeps it); this is the best of those that are");
    }
    return checkpoint.step();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      job_id, ": no checkpoint with a validation loss",
      list->checkpoints().empty() ? " yet" : ", there are those of steps ", Steps(*list)));
}

}  // namespace lockstep::client
