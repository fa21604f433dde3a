// lockstep checkpoints JOB
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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

std::string Table(const v1::ListCheckpointsResponse& list, absl::Time now) {
  if (list.checkpoints().empty()) return "no checkpoints yet\n";
  std::vector<std::vector<std::string>> rows = {
      {"STEP", "LOSS", "VAL LOSS", "VAL ACCURACY", "BEST", "BYTES", "AGE", "MODEL SHA256"}};
  for (const v1::StoredCheckpoint& stored : list.checkpoints()) {
    rows.push_back({absl::StrCat(stored.step()),
                    stored.has_training_loss() ? Loss(stored.training_loss()) : "",
                    stored.has_validation_loss() ? Loss(stored.validation_loss()) : "",
                    stored.has_validation_accuracy() ? Percent(stored.validation_accuracy()) : "",
                    stored.best() ? "best" : "", absl::StrCat(stored.size_bytes()),
                    ShortDuration(now - FromProto(stored.written_at())), stored.model_sha256()});
  }
  return FormatTable(rows);
}

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const auto list = (*client)->ListCheckpoints(options.job_id);
  if (!list.ok()) return Fail(environment, ExplainJobError(list.status(), options.job_id));
  *environment.out << (options.format == OutputFormat::kJson ? ToJson(*list)
                                                             : Table(*list, environment.now()));
  return kExitOk;
}

}  // namespace

CommandFunction DeclareCheckpoints(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
