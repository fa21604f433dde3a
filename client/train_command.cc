// lockstep train JOB.yaml: checks the arguments, then runs a TrainSession.
#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/exit_code.h"
#include "client/load_or_explain.h"
#include "client/local_cluster.h"
#include "client/train_session.h"

namespace lockstep::client {
namespace {

constexpr int kMostWorkers = 1024;
constexpr int kMostThreads = 1024;

int WorkerCount(const TrainOptions& options, const v1::JobSpec& spec) {
  return options.workers > 0 ? options.workers
                             : std::max(1, static_cast<int>(spec.workers().min()));
}

absl::Status CheckWorkerCount(int workers, const v1::JobSpec& spec) {
  if (workers >= static_cast<int>(spec.workers().min())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--workers: got ", workers, ", want at least the job's workers.min, ", spec.workers().min()));
}

// More workers than this have nothing to do.
void NoteIdleWorkers(const Environment& environment, int workers, const v1::JobSpec& spec) {
  int useful = spec.has_shards() ? static_cast<int>(spec.shards()) : workers;
  if (spec.workers().has_max()) useful = std::min(useful, static_cast<int>(spec.workers().max()));
  if (workers <= useful) return;
  *environment.err << "note: the job keeps " << useful << " of the " << workers
                   << " workers busy (its shards and workers.max)\n";
}

RunMode Mode(const TrainOptions& options) {
  if (options.resume) return RunMode::kResume;
  return options.overwrite ? RunMode::kOverwrite : RunMode::kNew;
}

int Run(const TrainOptions& options, const Environment& environment) {
  const std::optional<v1::JobSpec> spec = LoadOrExplain(environment, options.job_file);
  if (!spec.has_value()) return kExitUsage;
  const int workers = WorkerCount(options, *spec);
  const absl::Status enough = CheckWorkerCount(workers, *spec);
  if (!enough.ok()) return Fail(environment, enough);
  absl::StatusOr<EmbeddedClusterOptions> cluster =
      LocalClusterOptions(environment, workers, options.threads);
  if (!cluster.ok()) return Fail(environment, cluster.status());
  cluster->instruction_set = options.instruction_set;

  InterruptWatcher interrupt;
  const std::string output =
      options.output.empty() ? absl::StrCat("./", spec->name(), "-run") : options.output;
  absl::StatusOr<std::unique_ptr<RunFolder>> folder =
      RunFolder::Open(output, options.state_dir, Mode(options));
  if (!folder.ok()) return Fail(environment, folder.status());
  cluster->state_dir = (*folder)->state_dir();
  cluster->log_dir = (*folder)->log_dir();
  NoteIdleWorkers(environment, workers, *spec);
  return TrainSession(environment, options, *spec, folder->get(), &interrupt).Run(*cluster);
}

}  // namespace

CommandFunction DeclareTrain(CLI::App* app) {
  auto options = std::make_shared<TrainOptions>();
  app->add_option("job_file", options->job_file, "The job file (docs/job_file.md)")->required();
  app->add_option("--workers", options->workers,
                  "Worker processes. Default: the job's workers.min, or 1")
      ->check(CLI::Range(1, kMostWorkers));
  app->add_option("--threads", options->threads,
                  "Threads of each worker. Default: the machine's processors / workers")
      ->check(CLI::Range(1, kMostThreads));
  app->add_option("--output", options->output,
                  "Folder for model.safetensors, metrics.jsonl and logs. Default: ./<job name>-run")
      ->type_name("DIR");
  app->add_option("--state-dir", options->state_dir,
                  "Folder for the server's state and checkpoints. Default: OUTPUT/state")
      ->type_name("DIR");
  app->add_option("--instruction-set", options->instruction_set,
                  "best, avx512, avx2, ...: changes the speed, never the model")
      ->type_name("NAME");
  CLI::Option* resume =
      app->add_flag("--resume", options->resume, "Go on with the run in the output folder");
  app->add_flag("--overwrite", options->overwrite,
                "Delete the run in the output folder and start anew")
      ->excludes(resume);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
