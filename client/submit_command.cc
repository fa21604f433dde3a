// lockstep submit JOB.yaml [--watch]

#include <memory>
#include <optional>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/follow_job.h"
#include "client/interrupt.h"
#include "client/load_or_explain.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_file;
  std::string server;
  OutputFormat format = OutputFormat::kText;
  bool watch = false;
};

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  const std::optional<v1::JobSpec> spec = LoadOrExplain(environment, options.job_file);
  if (!spec.has_value()) return kExitUsage;

  InterruptWatcher interrupt;
  absl::StatusOr<v1::Job> job;
  {
    OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
    job = (*client)->Submit(*spec, spec->init_from());
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
  app->add_option("job_file", options->job_file, "The job file (docs/job_file.md)")->required();
  app->add_flag("--watch", options->watch, "Follow the job until it ends");
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
