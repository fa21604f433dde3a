// lockstep cancel JOB, lockstep pause JOB
#include <memory>
#include <string>

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

// `stop`: the call of JobClient that does it.
int Run(const Options& options, const Environment& environment,
        absl::StatusOr<v1::Job> (JobClient::*stop)(const std::string&)) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const absl::StatusOr<v1::Job> job = (client->get()->*stop)(options.job_id);
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

CommandFunction DeclareStop(CLI::App* app,
                            absl::StatusOr<v1::Job> (JobClient::*stop)(const std::string&)) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return
      [options, stop](const Environment& environment) { return Run(*options, environment, stop); };
}

}  // namespace

CommandFunction DeclareCancel(CLI::App* app) { return DeclareStop(app, &JobClient::Cancel); }
CommandFunction DeclarePause(CLI::App* app) { return DeclareStop(app, &JobClient::Pause); }

}  // namespace lockstep::client
