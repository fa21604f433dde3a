// lockstep train JOB.yaml: checks the arguments, then runs a TrainSession.
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/chaos_plan.h"
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

constexpr size_t kSha256Digits = 64;

absl::Status CheckCalmSha256(const std::string& hash) {
  if (hash.empty()) return absl::OkStatus();
  if (hash.size() == kSha256Digits &&
      hash.find_first_not_of("0123456789abcdef") == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("--calm-sha256: got '", hash, "', want ",
                                                 kSha256Digits, " lower-case hexadecimal digits"));
}

// Trains the same job once more with nothing done to it, in OUTPUT/calm.
// Returns the exit code; `sha256` is the model's if that is 0.
int CalmRun(const TrainOptions& options, const Environment& environment, const v1::JobSpec& spec,
            const std::string& output, EmbeddedClusterOptions cluster, InterruptWatcher* interrupt,
            std::string* sha256) {
  TrainOptions calm = options;
  calm.chaos.clear();
  calm.state_dir.clear();
  calm.format = OutputFormat::kJson;  // one line, which nobody reads
  std::ostringstream unread;
  Environment quiet = environment;
  quiet.out = &unread;
  absl::StatusOr<std::unique_ptr<RunFolder>> folder =
      RunFolder::Open(absl::StrCat(output, "/calm"), "", RunMode::kOverwrite);
  if (!folder.ok()) return Fail(environment, folder.status());
  cluster.state_dir = (*folder)->state_dir();
  cluster.log_dir = (*folder)->log_dir();
  cluster.corrupt_shard = 0;
  TrainSession session(quiet, calm, spec, folder->get(), interrupt);
  const int code = session.Run(cluster);
  *sha256 = session.model_sha256();
  return code;
}

// Says what chaos has done, and whether model and ledger are right all the same.
// Requires: `chaotic` has written a model.
int Compare(const TrainOptions& options, const Environment& environment,
            const std::string& calm_sha256, const TrainSession& chaotic) {
  const v1::ExampleLedger& ledger = chaotic.job().progress().ledger();
  const bool exact =
      ledger.consumed() == ledger.total() && ledger.lost() == 0 && ledger.twice() == 0;
  const bool equal = calm_sha256 == chaotic.model_sha256();
  std::ostream& out = options.format == OutputFormat::kText ? *environment.out : *environment.err;
  out << "chaos (seed " << options.chaos_seed << "): " << chaotic.chaos_summary() << '\n'
      << "examples consumed: " << LedgerText(ledger) << '\n'
      << "calm run's sha256: " << calm_sha256 << (equal ? ": equal" : ": DIFFERENT") << std::endl;
  if (equal && exact) return kExitOk;
  return Fail(environment,
              absl::InternalError(equal ? "the ledger of examples is not exact"
                                        : "the model under chaos is not that of the calm run"));
}

int Run(const TrainOptions& options, const Environment& environment) {
  std::optional<v1::JobSpec> spec = LoadOrExplain(environment, options.job_file);
  if (!spec.has_value()) return kExitUsage;
  ChaosPlan plan;
  if (!options.chaos.empty()) {
    const absl::StatusOr<ChaosPlan> parsed = ChaosPlan::Parse(options.chaos);
    if (!parsed.ok()) return Fail(environment, parsed.status());
    plan = *parsed;
  }
  if (!options.chaos.empty() &&
      (spec->consistency().has_async() || spec->consistency().has_bounded_staleness())) {
    return Fail(environment, absl::InvalidArgumentError(
                                 "--chaos: got a job with consistency async or bounded_staleness, "
                                 "want one whose bits do not depend on the order of arrival: there "
                                 "is no calm run to compare with (lockstep replay repeats one)"));
  }
  const absl::Status calm_hash = CheckCalmSha256(options.calm_sha256);
  if (!calm_hash.ok()) return Fail(environment, calm_hash);
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
  const v1::JobSpec calm_spec = *spec;
  if (!options.chaos.empty()) {
    cluster->corrupt_shard = plan.corrupt_shard;
    cluster->corrupt_seed = options.chaos_seed;
    // Those it kills itself are no sign of trouble.
    cluster->most_restarts = std::numeric_limits<int>::max();
    cluster->restart_backoff = {absl::Milliseconds(100), absl::Milliseconds(300), 1.5, 0.2};
    // Only what is computed twice is safe from wrong answers.
    if (plan.corrupt_shard > 0) spec->set_audit(1);
  }
  TrainSession session(environment, options, *spec, folder->get(), &interrupt);
  if (!options.chaos.empty()) session.SetChaos(plan);
  int code = session.Run(*cluster);
  if (options.chaos.empty() || code != kExitOk) return code;
  std::string calm_sha256 = options.calm_sha256;
  if (calm_sha256.empty()) {
    code = CalmRun(options, environment, calm_spec, output, *cluster, &interrupt, &calm_sha256);
  }
  return code == kExitOk ? Compare(options, environment, calm_sha256, session) : code;
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
  CLI::Option* chaos =
      app->add_option("--chaos", options->chaos,
                      "Break things while it trains, then compare with a calm run: some of "
                      "kill-worker=TIME,kill-server=TIME,stall-worker=TIME,drop-connection=TIME,"
                      "corrupt-shard=PART (docs/fault_model.md)")
          ->type_name("PLAN");
  app->add_option("--chaos-seed", options->chaos_seed, "Which faults come when. Default: 1")
      ->needs(chaos);
  app->add_option(
         "--calm-sha256", options->calm_sha256,
         "The calm run's model sha256, where it is known: compare with it and skip that run")
      ->type_name("HEX")
      ->needs(chaos);
  CLI::Option* resume =
      app->add_flag("--resume", options->resume, "Go on with the run in the output folder");
  app->add_flag("--overwrite", options->overwrite,
                "Delete the run in the output folder and start anew")
      ->excludes(resume);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
