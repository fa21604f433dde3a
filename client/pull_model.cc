#include "client/pull_model.h"

#include "absl/strings/str_cat.h"
#include "client/atomic_file.h"
#include "client/command.h"

namespace lockstep::client {
namespace {

// A running job may write a checkpoint between two calls; one that does so
// every time is not worth chasing.
constexpr int kAttempts = 3;

absl::StatusOr<uint64_t> Fetch(JobClient* client, const std::string& job_id, AtomicFile* file) {
  uint64_t size_bytes = 0;
  absl::Status status = client->Pull(job_id, [&](absl::string_view piece) {
    size_bytes += piece.size();
    return file->Write(piece);
  });
  if (!status.ok()) return status;
  return size_bytes;
}

}  // namespace

absl::StatusOr<PulledModel> PullModel(const Environment& environment, JobClient* client,
                                      const std::string& job_id, const std::string& path) {
  absl::StatusOr<v1::Job> before = client->Get(job_id);
  if (!before.ok()) return ExplainJobError(before.status(), job_id);
  std::string got;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    absl::StatusOr<AtomicFile> file = AtomicFile::Create(path);
    if (!file.ok()) return file.status();
    absl::StatusOr<uint64_t> size_bytes = Fetch(client, job_id, &*file);
    if (!size_bytes.ok()) return size_bytes.status();
    absl::StatusOr<std::string> sha256 = environment.hash_model(file->temporary_path());
    if (!sha256.ok()) {
      return absl::DataLossError(absl::StrCat("the model that the server sent for ", job_id,
                                              " cannot be read: ", sha256.status().message()));
    }
    got = *sha256;
    // The checkpoint that came is the one known before, or a newer one.
    absl::StatusOr<v1::Job> after = client->Get(job_id);
    if (!after.ok()) return after.status();
    for (const v1::Job* job : {&*before, &*after}) {
      if (job->model_sha256() != got) continue;
      absl::Status committed = file->Commit();
      if (!committed.ok()) return committed;
      return PulledModel{got, job->checkpoint_step(), *size_bytes};
    }
    before = std::move(after);
  }
  return absl::DataLossError(absl::StrCat("the model's sha256: got ", got, ", want ",
                                          before->model_sha256(), " (", job_id,
                                          "); nothing was written"));
}

}  // namespace lockstep::client
