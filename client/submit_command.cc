// lockstep submit [JOB.yaml] [--from JOB[@STEP]] [--set FIELD=VALUE] [--watch]
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/exit_code.h"
#include "client/follow_job.h"
#include "client/interrupt.h"
#include "client/job_file/job_overrides.h"
#include "client/load_or_explain.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_file;
  std::string server;
  OutputFormat format = OutputFormat::kText;
  bool watch = false;
  std::string from;
  bool fresh_optimizer = false;
  std::vector<std::string> settings;
  std::optional<int> priority;
};

// "job-1@500" or "job-1": the newest checkpoint.
absl::StatusOr<v1::ForkRequest> ParseFrom(const Options& options) {
  v1::ForkRequest from;
  const size_t at = options.from.find('@');
  from.set_job_id(options.from.substr(0, at));
  from.set_fresh_optimizer(options.fresh_optimizer);
  if (at == std::string::npos) return from;
  uint64_t step = 0;
  if (!absl::SimpleAtoi(options.from.substr(at + 1), &step)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--from: got '", options.from, "', want JOB or JOB@STEP, e.g. job-1@500"));
  }
  from.set_step(step);
  return from;
}

// The specification to submit: the job file's, or that of the job to go on
// from, with what was set on the command line.
absl::StatusOr<v1::JobSpec> SpecToSubmit(const Options& options, const Environment& environment,
                                         JobClient* client) {
  v1::JobSpec spec;
  if (!options.job_file.empty()) {
    std::optional<v1::JobSpec> loaded = LoadOrExplain(environment, options.job_file);
    if (!loaded.has_value()) return absl::InvalidArgumentError("");  // explained already
    spec = *std::move(loaded);
  } else {
    const std::string parent = options.from.substr(0, options.from.find('@'));
    absl::StatusOr<v1::Job> job = client->Get(parent);
    if (!job.ok()) return ExplainJobError(job.status(), parent);
    spec = std::move(*job->mutable_spec());
    spec.clear_init_from();
    spec.clear_init_from_sha256();
    spec.clear_forked_from();
  }
  if (options.priority.has_value()) spec.set_priority(*options.priority);
  const absl::Status applied = ApplyOverrides(options.settings, &spec);
  if (!applied.ok()) return applied;
  return spec;
}

absl::StatusOr<v1::Job> Submit(const Options& options, const v1::JobSpec& spec, JobClient* client) {
  if (options.from.empty()) return client->Submit(spec, spec.init_from());
  const absl::StatusOr<v1::ForkRequest> from = ParseFrom(options);
  if (!from.ok()) return from.status();
  const absl::StatusOr<v1::Job> job = client->SubmitFork(spec, *from);
  return job.ok() ? job : ExplainJobError(job.status(), from->job_id());
}

absl::Status CheckOptions(const Options& options) {
  if (options.job_file.empty() && options.from.empty()) {
    return absl::InvalidArgumentError("got no job file, want one, or --from JOB");
  }
  if (options.fresh_optimizer && options.from.empty()) {
    return absl::InvalidArgumentError("--fresh-optimizer: want --from JOB beside it");
  }
  return options.from.empty() ? absl::OkStatus() : ParseFrom(options).status();
}

int Run(const Options& options, const Environment& environment) {
  if (const absl::Status status = CheckOptions(options); !status.ok()) {
    return Fail(environment, status);
  }
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  absl::StatusOr<v1::Job> job;
  {
    OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
    const absl::StatusOr<v1::JobSpec> spec = SpecToSubmit(options, environment, client->get());
    if (!spec.ok() && spec.status().message().empty()) return kExitUsage;
    if (!spec.ok()) return Fail(environment, spec.status());
    job = Submit(options, *spec, client->get());
  }
  if (!job.ok()) return Fail(environment, job.status());
  if (options.format == OutputFormat::kJson && !options.watch) *environment.out << ToJson(*job);
  if (options.format == OutputFormat::kText) {
    // Alone on standard output, for JOB=$(lockstep submit job.yaml).
    *environment.out << Printable(job->job_id()) << '\n';
    if (!options.watch) {
      *environment.err << "submitted; to follow it: lockstep watch " << Printable(job->job_id())
                       << '\n';
    }
  }
  if (!options.watch) return kExitOk;
  return WatchToTheEnd(environment, interrupt, options.server, job->job_id(), options.format);
}

}  // namespace

CommandFunction DeclareSubmit(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job_file", options->job_file,
                  "The job file (docs/job_file.md); with --from it may be left out");
  app->add_option("--from", options->from,
                  "Go on from this job's checkpoint, with its optimizer's state, instead of "
                  "beginning anew; without a job file, as the same job but for --set")
      ->type_name("JOB[@STEP]");
  app->add_flag("--fresh-optimizer", options->fresh_optimizer,
                "With --from: begin with an optimizer's state of zero");
  app->add_option("--set", options->settings,
                  "Set a field of the job, e.g. optimizer.adam.learning_rate=0.01; may be given "
                  "several times")
      ->type_name("FIELD=VALUE")
      ->allow_extra_args(false);
  app->add_option("--priority", options->priority,
                  "Instead of the job file's: jobs of higher priority get workers first")
      ->type_name("NUMBER");
  app->add_flag("--watch", options->watch, "Follow the job until it ends");
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
