// lockstep pull JOB [--best | --step N] -o FILE
#include <memory>
#include <optional>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/json_object.h"
#include "client/pull_model.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_id;
  std::string server;
  OutputFormat format = OutputFormat::kText;
  std::string output;
  bool best = false;
  std::optional<uint64_t> step;
};

std::string Json(const Options& options, const PulledModel& model) {
  return JsonObject()
      .Add("jobId", options.job_id)
      .Add("file", options.output)
      .Add("step", model.step)
      .Add("sizeBytes", model.size_bytes)
      .Add("modelSha256", model.sha256)
      .Line();
}

absl::StatusOr<PulledModel> Pull(const Options& options, const Environment& environment,
                                 JobClient* client) {
  std::optional<uint64_t> step = options.step;
  if (options.best) {
    std::string note;
    const absl::StatusOr<uint64_t> best = FindBestStep(client, options.job_id, &note);
    if (!best.ok()) return best.status();
    if (!note.empty()) *environment.err << "note: " << note << "\n";
    step = *best;
  }
  return step.has_value()
             ? PullModelOfStep(environment, client, options.job_id, *step, options.output)
             : PullModel(environment, client, options.job_id, options.output);
}

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const absl::StatusOr<PulledModel> model = Pull(options, environment, client->get());
  if (!model.ok()) return Fail(environment, model.status());
  if (options.format == OutputFormat::kJson) {
    *environment.out << Json(options, *model);
  } else {
    *environment.out << "model: " << options.output << "\nmodel step: " << model->step
                     << "\nmodel sha256: " << model->sha256 << "\n";
  }
  return kExitOk;
}

}  // namespace

CommandFunction DeclarePull(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  app->add_option("-o,--output", options->output, "The safetensors file to write")->required();
  CLI::Option* best = app->add_flag("--best", options->best,
                                    "Of the checkpoint with the lowest validation loss (job file: "
                                    "checkpoint.keep_best) instead of the newest");
  app->add_option("--step", options->step,
                  "Of the checkpoint of this step (`lockstep checkpoints JOB` lists them)")
      ->excludes(best);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
