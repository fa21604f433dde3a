// lockstep status JOB
#include <memory>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/interrupt.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_id;
  std::string server;
  OutputFormat format = OutputFormat::kText;
};

int Run(const Options& options, const Environment& environment) {
  const absl::StatusOr<std::string> server = ServerAddress(environment, options.server);
  if (!server.ok()) return Fail(environment, server.status());
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const absl::StatusOr<v1::Job> job = (*client)->Get(options.job_id);
  if (!job.ok()) return Fail(environment, ExplainJobError(job.status(), options.job_id));
  if (options.format == OutputFormat::kJson) {
    *environment.out << ToJson(*job);
  } else {
    *environment.out << JobDetails(*job, environment.now()) << WorkerHint(*job, *server);
  }
  return kExitOk;
}

}  // namespace

CommandFunction DeclareStatus(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
