// lockstep workers
#include <memory>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/interrupt.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string server;
  OutputFormat format = OutputFormat::kText;
};

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const absl::StatusOr<v1::ListWorkersResponse> workers = (*client)->ListWorkers();
  if (!workers.ok()) return Fail(environment, workers.status());
  *environment.out << (options.format == OutputFormat::kJson
                           ? ToJson(*workers)
                           : WorkerTable(*workers, environment.now()));
  return kExitOk;
}

}  // namespace

CommandFunction DeclareWorkers(CLI::App* app) {
  auto options = std::make_shared<Options>();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
