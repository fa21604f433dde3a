#include "client/run_client.h"

#include <algorithm>
#include <exception>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands.h"
#include "client/exit_code.h"
#include "client/job_file/edit_distance.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

constexpr char kIntroduction[] =
    "lockstep trains neural networks on CPU machines; the same job file and data give the\n"
    "same model, bit for bit, on any number of workers and threads.\n"
    "\n"
    "Usage: lockstep COMMAND [ARGUMENTS] [OPTIONS]\n"
    "\n"
    "Commands:\n";

constexpr char kExplanations[] =
    "\n"
    "`lockstep help COMMAND` shows a command's options. All take --format text|json; those that\n"
    "talk to a server take --server HOST:PORT (or unix:PATH), or else the variable\n"
    "LOCKSTEP_SERVER.\n"
    "\n"
    "Examples:\n"
    "  lockstep train mnist.yaml --workers 2      train here; the model is in ./mnist-run\n"
    "  lockstep train mnist.yaml --resume         go on after Ctrl-C or a crash\n"
    "  lockstep submit mnist.yaml --server big:7070 --watch\n"
    "  lockstep pull job-1 --server big:7070 -o model.safetensors\n"
    "\n"
    "Exit codes:\n";

const Command* FindCommand(const std::string& name) {
  for (const Command& command : Commands()) {
    if (name == command.name) return &command;
  }
  return nullptr;
}

std::string Help() {
  std::string text = kIntroduction;
  for (const Command& command : Commands()) {
    absl::StrAppendFormat(&text, "  %-20s %s\n", absl::StrCat(command.name, " ", command.arguments),
                          command.summary);
  }
  return absl::StrCat(text, kExplanations, ExitCodesHelp());
}

int UsageError(const Environment& environment, absl::string_view message) {
  return Fail(environment, absl::InvalidArgumentError(message));
}

int UnknownCommand(const Environment& environment, const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : Commands()) names.push_back(command.name);
  const std::string nearest = NearestWord(name, names);
  return UsageError(
      environment,
      absl::StrCat("unknown command '", name, "'",
                   nearest.empty() ? "" : absl::StrCat(", did you mean '", nearest, "'?"),
                   " (`lockstep help` lists them)"));
}

// Parses a command's arguments and runs it; `help`: only shows its options.
int RunCommand(const Command& command, std::vector<std::string> arguments, bool help,
               const Environment& environment) {
  CLI::App app(absl::StrCat(command.summary), absl::StrCat("lockstep ", command.name));
  app.set_help_flag("-h,--help", "Show this help");
  app.option_defaults()->take_last();
  const CommandFunction run = command.declare(&app);
  if (help) {
    *environment.out << app.help();
    return kExitOk;
  }
  try {
    // CLI11 wants the last argument first.
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    *environment.out << app.help();
    return kExitOk;
  } catch (const CLI::Error& error) {
    return UsageError(environment, absl::StrCat(command.name, ": ", error.what(),
                                                " (`lockstep help ", command.name, "`)"));
  }
  return run(environment);
}

int Dispatch(std::vector<std::string> arguments, const Environment& environment) {
  const bool asks_help = !arguments.empty() && (arguments[0] == "help" || arguments[0] == "-h" ||
                                                arguments[0] == "--help");
  if (arguments.empty() || (asks_help && arguments.size() == 1)) {
    *environment.out << Help();
    return kExitOk;
  }
  if (arguments[0] == "--version") arguments[0] = "version";
  if (asks_help) arguments.erase(arguments.begin());
  const std::string name = arguments[0];
  if (!name.empty() && name[0] == '-') {
    return UsageError(environment, absl::StrCat("got '", name,
                                                "' before the command; options follow it: "
                                                "lockstep COMMAND [OPTIONS]"));
  }
  const Command* command = FindCommand(name);
  if (command == nullptr) return UnknownCommand(environment, name);
  arguments.erase(arguments.begin());
  return RunCommand(*command, std::move(arguments), asks_help, environment);
}

}  // namespace

int RunClient(const std::vector<std::string>& arguments, const Environment& environment) {
  int code;
  try {
    code = Dispatch(arguments, environment);
  } catch (const std::exception& error) {
    // Ours do not throw; what remains is the library's (memory, file system).
    code = Fail(environment, absl::InternalError(error.what()));
  }
  environment.out->flush();
  if (code == kExitOk && !environment.out->good()) {
    return Fail(environment, absl::InternalError("writing the standard output failed"));
  }
  return code;
}

}  // namespace lockstep::client
