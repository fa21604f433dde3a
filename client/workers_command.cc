// lockstep workers, lockstep workers release NAME
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/interrupt.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string server;
  std::string released;
  OutputFormat format = OutputFormat::kText;
};

int List(const Options& options, const Environment& environment) {
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

int Release(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const absl::StatusOr<v1::LiftQuarantineResponse> response =
      (*client)->LiftQuarantine(options.released);
  if (!response.ok()) return Fail(environment, response.status());
  *environment.out << (options.format == OutputFormat::kJson
                           ? ToJson(*response)
                           : ReleaseText(*response, options.released));
  return kExitOk;
}

}  // namespace

CommandFunction DeclareWorkers(CLI::App* app) {
  auto options = std::make_shared<Options>();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  CLI::App* const release = app->add_subcommand(
      "release", "give a quarantined worker work again, once its machine is sound");
  release
      ->add_option("name", options->released, "The worker's name, as `lockstep workers` shows it")
      ->required();
  release->fallthrough();  // the options above may follow the name
  return [options, release](const Environment& environment) {
    return release->parsed() ? Release(*options, environment) : List(*options, environment);
  };
}

}  // namespace lockstep::client
