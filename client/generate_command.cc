// lockstep generate JOB.yaml
#include <cmath>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/exit_code.h"
#include "client/load_or_explain.h"
#include "engine/data/safetensors.h"
#include "engine/model/text_generator.h"

namespace lockstep::client {
namespace {

constexpr int64_t kMostLength = 100'000'000;

struct Options {
  std::string job_file;
  std::string model;
  std::string prompt = "\n";
  int64_t length = 500;
  SamplingOptions sampling;
};

absl::StatusOr<std::unique_ptr<TextGenerator>> MakeGenerator(const Options& options,
                                                             const v1::JobSpec& spec) {
  const std::string path = options.model.empty()
                               ? absl::StrCat("./", spec.name(), "-run/model.safetensors")
                               : options.model;
  const absl::StatusOr<data::SafetensorsFile> file = data::ReadSafetensors(path);
  if (absl::IsInvalidArgument(file.status())) return absl::DataLossError(file.status().message());
  if (!file.ok()) return file.status();
  return TextGenerator::Create(spec, file->tensors, options.sampling);
}

// Each token is shown as soon as it is chosen.
absl::Status Write(const Options& options, TextGenerator* generator, std::ostream* out) {
  absl::Status status = generator->Begin(options.prompt);
  if (!status.ok()) return status;
  *out << options.prompt << std::flush;
  for (int64_t i = 0; i < options.length; ++i) {
    const absl::StatusOr<std::string> token = generator->Next();
    if (!token.ok()) return token.status();
    *out << *token << std::flush;
  }
  *out << '\n';
  return absl::OkStatus();
}

int Run(const Options& options, const Environment& environment) {
  const std::optional<v1::JobSpec> spec = LoadOrExplain(environment, options.job_file);
  if (!spec.has_value()) return kExitUsage;
  const auto generator = MakeGenerator(options, *spec);
  if (!generator.ok()) return Fail(environment, generator.status());
  const absl::Status status = Write(options, generator->get(), environment.out);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(environment, status);
}

}  // namespace

CommandFunction DeclareGenerate(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job_file", options->job_file, "The job file that the model was trained with")
      ->required();
  app->add_option("--model", options->model,
                  "The trained model. Default: ./<job name>-run/model.safetensors")
      ->type_name("FILE");
  app->add_option("--prompt", options->prompt, "How the text begins. Default: a new line");
  app->add_option("--length", options->length, "Tokens to write. Default: 500")
      ->check(CLI::Range(int64_t{0}, kMostLength));
  app->add_option("--temperature", options->sampling.temperature,
                  "Divides the logits; 0: always the likeliest token. Default: 1")
      ->check(CLI::Range(0.0f, 1000.0f));
  app->add_option("--top-k", options->sampling.top_k,
                  "Draw from the so many likeliest tokens only; 0: from all. Default: 0")
      ->check(CLI::Range(int64_t{0}, int64_t{65536}));
  app->add_option("--seed", options->sampling.seed,
                  "Key of the draws: the same seed gives the same text. Default: 0");
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
