// lockstep watch JOB
#include <memory>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/follow_job.h"
#include "client/interrupt.h"

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
  // Asked once before watching: a server that is away now may be a mistyped
  // address, one that goes away later is waited for.
  absl::Status known;
  {
    OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
    known = (*client)->Get(options.job_id).status();
  }
  if (!known.ok()) return Fail(environment, ExplainJobError(known, options.job_id));
  return WatchToTheEnd(environment, interrupt, options.server, options.job_id, options.format);
}

}  // namespace

CommandFunction DeclareWatch(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
