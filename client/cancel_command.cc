// lockstep cancel JOB
#include <memory>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_id;
  std::string server;
  OutputFormat format = OutputFormat::kText;
};

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const absl::StatusOr<v1::Job> job = (*client)->Cancel(options.job_id);
  if (!job.ok()) return Fail(environment, ExplainJobError(job.status(), options.job_id));
  if (options.format == OutputFormat::kJson) {
    *environment.out << ToJson(*job);
    return kExitOk;
  }
  const std::string id = Printable(job->job_id());
  *environment.out << id << " " << StateName(job->state()) << " at step " << job->progress().step()
                   << "/" << job->progress().total_steps() << "\nto go on: lockstep resume " << id
                   << "\n";
  return kExitOk;
}

}  // namespace

CommandFunction DeclareCancel(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
