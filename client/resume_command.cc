// lockstep resume JOB [--watch]
#include <memory>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/follow_job.h"
#include "client/interrupt.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_id;
  std::string server;
  OutputFormat format = OutputFormat::kText;
  bool watch = false;
};

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  absl::StatusOr<v1::Job> job;
  {
    OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
    job = (*client)->Resume(options.job_id);
  }
  if (!job.ok()) return Fail(environment, ExplainJobError(job.status(), options.job_id));
  if (options.format == OutputFormat::kText) {
    *environment.out << Printable(job->job_id()) << " " << StateName(job->state()) << " from step "
                     << job->checkpoint_step() << "/" << job->progress().total_steps() << "\n";
  } else if (!options.watch) {
    *environment.out << ToJson(*job);
  }
  if (!options.watch) return kExitOk;
  return WatchToTheEnd(environment, interrupt, options.server, job->job_id(), options.format);
}

}  // namespace

CommandFunction DeclareResume(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  app->add_flag("--watch", options->watch, "Follow the job until it ends");
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
