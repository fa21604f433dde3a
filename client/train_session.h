// One run of `lockstep train`, from starting the server to writing the model.
#ifndef LOCKSTEP_CLIENT_TRAIN_SESSION_H_
#define LOCKSTEP_CLIENT_TRAIN_SESSION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/chaos.h"
#include "client/embedded_cluster.h"
#include "client/environment.h"
#include "client/follow_job.h"
#include "client/interrupt.h"
#include "client/metrics_file.h"
#include "client/output_format.h"
#include "client/run_folder.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::client {

struct TrainOptions {
  std::string job_file;
  int workers = 0;        // 0: as many as the job wants at least
  int threads = 0;        // of each worker; 0: the machine's processors / workers
  std::string output;     // empty: ./<job name>-run
  std::string state_dir;  // empty: OUTPUT/state
  std::string instruction_set = "best";
  bool resume = false;
  bool overwrite = false;
  std::string chaos;  // empty: none
  uint64_t chaos_seed = 1;
  std::string calm_sha256;  // what --chaos compares with; empty: of a calm run after it
  OutputFormat format = OutputFormat::kText;
};

// Threads: the main thread (see ChildProcess).
class TrainSession {
 public:
  // Requires: `options` complete and `folder` opened for them.
  TrainSession(const Environment& environment, const TrainOptions& options, const v1::JobSpec& spec,
               RunFolder* folder, InterruptWatcher* interrupt);

  // Has the cluster suffer by this plan while the job runs.
  void SetChaos(const ChaosPlan& plan) { chaos_.emplace(plan, options_.chaos_seed, began_); }

  // Of the model that Run has written; empty: none.
  const std::string& model_sha256() const { return model_sha256_; }
  const v1::Job& job() const { return job_; }
  // What --chaos did; empty without it.
  std::string chaos_summary() const { return chaos_.has_value() ? chaos_->Summary() : ""; }

  // Returns the exit code; has printed everything.
  int Run(const EmbeddedClusterOptions& cluster_options);

 private:
  // Gives the job to the server: a new one, or the state folder's newest.
  absl::StatusOr<v1::Job> BeginJob();
  absl::StatusOr<v1::Job> ResumeNewestJob(JobClient* client);
  // Starts workers and shows progress until the job's end.
  FollowResult Follow(const std::string& job_id);
  // After Ctrl-C: cancels the job, so that its last step is kept.
  absl::StatusOr<v1::Job> CancelJob(const std::string& job_id);
  // Writes the model and the summary; `interrupted` as it was while following.
  int WriteResults(v1::Job job, bool interrupted);
  int Fail(const absl::Status& status);
  // What --chaos does at this moment.
  absl::Status ActOnCluster(JobClient* client, std::vector<std::string>* notes);
  void PrintSummary(const v1::Job& job, double seconds, const PulledModel& model) const;

  const Environment& environment_;
  const TrainOptions& options_;
  const v1::JobSpec& spec_;
  RunFolder* const folder_;
  InterruptWatcher* const interrupt_;
  const absl::Time began_;
  std::unique_ptr<EmbeddedCluster> cluster_;
  std::unique_ptr<MetricsFile> metrics_;
  std::optional<Chaos> chaos_;
  absl::Time looked_at_workers_ = absl::InfinitePast();
  std::string model_sha256_;
  v1::Job job_;
};

// The command that goes on with a run, ready for a shell.
std::string ResumeCommand(const TrainOptions& options);

// OK if `stored` (a server's) is the job that `spec` describes; what does not
// change the bits (workers, checkpoint) may differ. Errors: InvalidArgument,
// naming the first difference.
absl::Status CheckSameJob(const v1::JobSpec& stored, const v1::JobSpec& spec);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_TRAIN_SESSION_H_
