// lockstep hash FILE
#include <memory>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/json_object.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string file;
  OutputFormat format = OutputFormat::kText;
};

int Run(const Options& options, const Environment& environment) {
  const absl::StatusOr<std::string> sha256 = environment.hash_model(options.file);
  if (!sha256.ok()) return Fail(environment, sha256.status());
  if (options.format == OutputFormat::kJson) {
    *environment.out << JsonObject().Add("file", options.file).Add("modelSha256", *sha256).Line();
  } else {
    *environment.out << *sha256 << "  " << options.file << "\n";
  }
  return kExitOk;
}

}  // namespace

CommandFunction DeclareHash(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("file", options->file, "A safetensors file")->required();
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
