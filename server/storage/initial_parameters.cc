#include "server/storage/initial_parameters.h"

#include "absl/strings/str_cat.h"
#include "engine/data/atomic_file.h"
#include "engine/data/sha256.h"
#include "server/storage/checkpoint.h"
#include "server/storage/state_files.h"

namespace lockstep::server {
namespace {

constexpr char kFileName[] = "/init.safetensors";
constexpr char kForkFileName[] = "/fork.safetensors";

// Where the job's file of that name is, its folder made.
absl::StatusOr<std::string> PathFor(JobStore& store, const std::string& job_id, const char* name) {
  const absl::StatusOr<std::string> folder =
      JobCheckpointDirectory(store.checkpoints_dir(), job_id);
  if (!folder.ok()) return folder.status();
  const absl::Status made = MakeFolder(*folder);
  if (!made.ok()) return made;
  return *folder + name;
}

}  // namespace

absl::Status CheckInitialParameters(const v1::JobSpec& spec, absl::string_view bytes) {
  const std::string sha256 = data::Sha256Hex(bytes);
  if (sha256 != spec.init_from_sha256()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "init_from ", spec.init_from(), ": SHA-256 of the bytes sent, got ", sha256, " of ",
        bytes.size(), " bytes, want init_from_sha256 \"", spec.init_from_sha256(), "\""));
  }
  const absl::Status parsed =
      data::ParseSafetensors(bytes, absl::StrCat("init_from ", spec.init_from())).status();
  // Damage is the sender's: nothing of the server's has been lost.
  return parsed.ok() ? parsed : absl::InvalidArgumentError(parsed.message());
}

absl::Status SaveInitialParameters(JobStore& store, const std::string& job_id,
                                   const v1::JobSpec& spec, absl::string_view bytes) {
  const absl::Status checked = CheckInitialParameters(spec, bytes);
  if (!checked.ok()) return checked;
  const absl::StatusOr<std::string> path = PathFor(store, job_id, kFileName);
  if (!path.ok()) return path.status();
  return data::WriteFileAtomically(*path, {bytes});
}

absl::StatusOr<Checkpoint> ParseFork(const v1::Fork& fork, absl::string_view bytes) {
  const std::string name = absl::StrCat("checkpoint ", fork.job_id(), "@", fork.step());
  const std::string sha256 = data::Sha256Hex(bytes);
  if (sha256 != fork.checkpoint_sha256()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": SHA-256 of the bytes sent, got ", sha256, " of ", bytes.size(),
        " bytes, want forked_from.checkpoint_sha256 \"", fork.checkpoint_sha256(), "\""));
  }
  absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(bytes, name);
  if (!checkpoint.ok()) return absl::InvalidArgumentError(checkpoint.status().message());
  if (checkpoint->step != fork.step()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": got a checkpoint of step ", checkpoint->step));
  }
  return checkpoint;
}

absl::StatusOr<std::string> ReadForkFile(JobStore& store, const std::string& job_id) {
  const absl::StatusOr<std::string> path = PathFor(store, job_id, kForkFileName);
  if (!path.ok()) return path.status();
  absl::StatusOr<std::string> bytes = ReadWholeFile(*path);
  if (absl::IsNotFound(bytes.status())) return absl::DataLossError(bytes.status().message());
  return bytes;
}

absl::StatusOr<Checkpoint> LoadFork(JobStore& store, const std::string& job_id) {
  const absl::StatusOr<v1::Job> job = store.GetJob(job_id);
  if (!job.ok()) return job.status();
  if (!job->spec().has_forked_from()) {
    return absl::NotFoundError(absl::StrCat(job_id, " goes on from no other job"));
  }
  const absl::StatusOr<std::string> bytes = ReadForkFile(store, job_id);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Checkpoint> checkpoint = ParseFork(job->spec().forked_from(), *bytes);
  if (!checkpoint.ok()) {
    return absl::DataLossError(
        absl::StrCat(job_id, "'s fork.safetensors is damaged: ", checkpoint.status().message()));
  }
  return checkpoint;
}

absl::StatusOr<std::string> CreateJobFrom(JobStore& store, const v1::JobSpec& spec,
                                          absl::string_view bytes, absl::Time now) {
  const bool is_forked = spec.has_forked_from();
  if (spec.init_from().empty() && !is_forked) {
    if (bytes.empty()) return store.CreateJob(spec, now);
    return absl::InvalidArgumentError(
        absl::StrCat("init_from_data, got ", bytes.size(), " bytes, want none without init_from"));
  }
  // Before an id is spent on it.
  const absl::Status checked = is_forked ? ParseFork(spec.forked_from(), bytes).status()
                                         : CheckInitialParameters(spec, bytes);
  if (!checked.ok()) return checked;
  const absl::StatusOr<std::string> job_id = store.ReserveJobId();
  if (!job_id.ok()) return job_id.status();
  const absl::StatusOr<std::string> path =
      PathFor(store, *job_id, is_forked ? kForkFileName : kFileName);
  if (!path.ok()) return path.status();
  const absl::Status saved = data::WriteFileAtomically(*path, {bytes});
  if (!saved.ok()) return saved;
  const absl::Status created = store.CreateReservedJob(*job_id, spec, now);
  if (!created.ok()) return created;
  return job_id;
}

absl::StatusOr<std::vector<data::NamedTensor>> LoadInitialParameters(JobStore& store,
                                                                     const std::string& job_id) {
  const absl::StatusOr<v1::Job> job = store.GetJob(job_id);
  if (!job.ok()) return job.status();
  if (job->spec().init_from().empty()) {
    return absl::NotFoundError(absl::StrCat(job_id, " has no init_from"));
  }
  const absl::StatusOr<std::string> folder =
      JobCheckpointDirectory(store.checkpoints_dir(), job_id);
  if (!folder.ok()) return folder.status();
  const std::string path = *folder + kFileName;
  const absl::StatusOr<std::string> bytes = ReadWholeFile(path);
  if (absl::IsNotFound(bytes.status())) return absl::DataLossError(bytes.status().message());
  if (!bytes.ok()) return bytes.status();
  const std::string sha256 = data::Sha256Hex(*bytes);
  if (sha256 != job->spec().init_from_sha256()) {
    return absl::DataLossError(absl::StrCat(path, " is damaged: SHA-256, got ", sha256, ", want ",
                                            job->spec().init_from_sha256()));
  }
  absl::StatusOr<data::SafetensorsFile> file = data::ParseSafetensors(*bytes, path);
  if (!file.ok()) return absl::DataLossError(file.status().message());
  return std::move(file->tensors);
}

}  // namespace lockstep::server
