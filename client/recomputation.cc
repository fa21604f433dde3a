#include "client/recomputation.h"

#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/job_watcher.h"
#include "client/local_cluster.h"
#include "client/output_format.h"
#include "engine/data/sha256.h"

namespace lockstep::client {
namespace {

// Least time between two messages about a job that is being computed: what it computes
// beyond the last step asked for is lost time.
constexpr uint32_t kIntervalMilliseconds = 20;
// Most time between two looks at the processes.
constexpr int kSuperviseMilliseconds = 100;

// A folder for the time being.
class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> Create(const std::string& within) {
    std::string path = absl::StrCat(within, "/lockstep-XXXXXX");
    if (mkdtemp(path.data()) == nullptr) {
      return absl::InternalError(absl::StrCat("cannot make a folder in ", within));
    }
    return TemporaryFolder(std::move(path));
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Whether the job needs to go no further; an error where it cannot be computed here.
absl::StatusOr<bool> HasEnough(const v1::Job& job, uint64_t last_step) {
  if (job.state() == v1::SUCCEEDED) return true;
  if (job.state() == v1::FAILED) {
    // As far as it came; what it came to is compared.
    if (job.progress().step() > 0) return true;
    return absl::FailedPreconditionError(
        absl::StrCat("cannot compute the job on this machine: ", job.state_reason()));
  }
  constexpr absl::string_view kRefusal = "cannot take part: ";
  const size_t refused = job.state_reason().find(kRefusal.data());
  if (refused != std::string::npos) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot compute the job on this machine: ",
                     job.state_reason().substr(refused + kRefusal.size())));
  }
  return job.progress().step() >= last_step;
}

// Until the job has ended or has the step behind it, and is then stopped.
absl::Status RunUpTo(EmbeddedCluster* cluster, JobClient* client,
                     std::unique_ptr<JobClient> watching, InterruptWatcher* interrupt,
                     const std::string& job_id, uint64_t last_step) {
  JobWatcherOptions options;
  options.interval_ms = kIntervalMilliseconds;
  JobWatcher watcher(std::move(watching), job_id, options);
  std::vector<std::string> notes;
  while (true) {
    struct pollfd sources[2] = {{interrupt->fd(), POLLIN, 0}, {watcher.fd(), POLLIN, 0}};
    poll(sources, 2, kSuperviseMilliseconds);
    if (interrupt->interrupted()) return absl::CancelledError("interrupted");
    if (absl::Status status = cluster->Supervise(&notes); !status.ok()) return status;
    const JobNews news = watcher.Take();
    if (news.job.has_value()) {
      const absl::StatusOr<bool> enough = HasEnough(*news.job, last_step);
      if (!enough.ok()) return enough.status();
      if (*enough) break;
    }
    if (news.ended.has_value()) {
      return news.ended->ok() ? absl::InternalError(absl::StrCat(job_id, " was stopped"))
                              : *news.ended;
    }
  }
  const absl::Status cancelled = client->Cancel(job_id).status();
  // It may have come to its own end.
  return absl::IsFailedPrecondition(cancelled) ? absl::OkStatus() : cancelled;
}

absl::StatusOr<Recomputed> ComputeOn(EmbeddedCluster* cluster, JobClient* client,
                                     std::unique_ptr<JobClient> watching,
                                     InterruptWatcher* interrupt, const v1::JobSpec& spec,
                                     const StretchStart& start, uint64_t last_step) {
  std::string bytes = start.checkpoint;
  if (!spec.init_from().empty()) {
    std::ifstream file(spec.init_from(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
    if (!file) {
      return absl::FailedPreconditionError(
          absl::StrCat("init_from: cannot read ", spec.init_from(), " on this machine"));
    }
  }
  const absl::StatusOr<v1::Job> job = client->SubmitBytes(spec, bytes, start.replay);
  if (!job.ok()) return job.status();
  if (absl::Status status = cluster->StartWorkers(); !status.ok()) return status;
  const absl::Status ran =
      RunUpTo(cluster, client, std::move(watching), interrupt, job->job_id(), last_step);
  if (!ran.ok()) return ran;
  Recomputed recomputed;
  auto digests = client->GetDigests(job->job_id(), 0);
  if (!digests.ok()) return digests.status();
  recomputed.digests = *std::move(digests);
  const auto receipts = client->ListReceipts(job->job_id());
  if (!receipts.ok()) return receipts.status();
  recomputed.receipts.assign(receipts->receipts().begin(), receipts->receipts().end());
  return recomputed;
}

}  // namespace

absl::StatusOr<StretchStart> FindStart(JobClient* client, const v1::Job& job,
                                       const v1::ListReceiptsResponse& receipts, uint64_t step) {
  StretchStart start;
  start.spec = job.spec();
  const v1::Fork own = job.spec().forked_from();
  start.step = job.spec().has_forked_from() ? own.step() : 0;
  uint64_t from = 0;
  for (const uint64_t checkpoint : receipts.checkpoints()) {
    if (checkpoint <= step && checkpoint > start.step) from = checkpoint;
  }
  if (from == 0 && !job.spec().has_forked_from()) return start;
  auto bytes = client->PullCheckpoint(job.job_id(), from == 0 ? own.step() : from);
  if (!bytes.ok()) return bytes.status();
  start.checkpoint = *std::move(bytes);
  if (from == 0) return start;
  start.step = from;
  start.spec.clear_init_from();
  start.spec.clear_init_from_sha256();
  v1::Fork& fork = *start.spec.mutable_forked_from();
  fork.Clear();
  fork.set_job_id(job.job_id());
  fork.set_step(from);
  fork.set_checkpoint_sha256(data::Sha256Hex(start.checkpoint));
  return start;
}

absl::StatusOr<Recomputed> Recompute(const Environment& environment, InterruptWatcher* interrupt,
                                     const StretchStart& start, const RecomputeOptions& options) {
  absl::StatusOr<EmbeddedClusterOptions> cluster_options =
      LocalClusterOptions(environment, /*workers=*/1, options.threads);
  if (!cluster_options.ok()) return cluster_options.status();
  const auto folder = TemporaryFolder::Create(environment.temporary_folder);
  if (!folder.ok()) return folder.status();
  cluster_options->state_dir = folder->path() + "/state";
  cluster_options->log_dir = folder->path();
  v1::JobSpec spec = start.spec;
  spec.mutable_workers()->set_min(1);
  spec.clear_retries();
  spec.clear_audit();  // there is nobody to ask
  spec.mutable_tensor_digests()->set_interval_steps(options.digest_interval);
  spec.mutable_tensor_digests()->set_shards(options.shard_digests);
  auto cluster =
      EmbeddedCluster::Start(*cluster_options, [interrupt] { return interrupt->interrupted(); });
  if (!cluster.ok()) return cluster.status();
  const std::string socket_folder = (*cluster)->socket_folder();
  const std::string own_folder = folder->path();
  interrupt->SetLastWords([socket_folder, own_folder] {
    std::error_code ignored;
    std::filesystem::remove_all(socket_folder, ignored);
    std::filesystem::remove_all(own_folder, ignored);
  });
  auto client = JobClient::Create((*cluster)->address(), environment.timeouts);
  if (!client.ok()) return client.status();
  auto watching = JobClient::Create((*cluster)->address(), environment.timeouts);
  if (!watching.ok()) return watching.status();
  auto recomputed = ComputeOn(cluster->get(), client->get(), *std::move(watching), interrupt, spec,
                              start, options.last_step);
  (*cluster)->Stop();
  interrupt->SetLastWords({});
  return recomputed;
}

}  // namespace lockstep::client
