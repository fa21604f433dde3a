// lockstep version
#include <memory>

#include "client/commands.h"
#include "client/exit_code.h"
#include "client/json_object.h"
#include "client/version.h"

namespace lockstep::client {
namespace {

struct Options {
  OutputFormat format = OutputFormat::kText;
};

int Run(const Options& options, const Environment& environment) {
  if (options.format == OutputFormat::kJson) {
    *environment.out << JsonObject().Add("version", kVersion).Line();
  } else {
    *environment.out << "lockstep " << kVersion << "\n";
  }
  return kExitOk;
}

}  // namespace

CommandFunction DeclareVersion(CLI::App* app) {
  auto options = std::make_shared<Options>();
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
