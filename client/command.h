// A command of the `lockstep` program, and what commands share.
#ifndef LOCKSTEP_CLIENT_COMMAND_H_
#define LOCKSTEP_CLIENT_COMMAND_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/environment.h"
#include "client/job_client.h"
#include "client/output_format.h"

namespace lockstep::client {

// Runs a command whose arguments have been parsed; returns the exit code.
using CommandFunction = std::function<int(const Environment&)>;

struct Command {
  const char* name;
  const char* arguments;  // for the list of commands, e.g. "JOB"
  const char* summary;    // one line
  // Declares the command's options on `app` and returns what runs it.
  CommandFunction (*declare)(CLI::App* app);
};

// `--format text|json`, bound to `format`, which must outlive `app`.
void AddFormatOption(CLI::App* app, OutputFormat* format);
// `--server HOST:PORT`, bound to `server`, which must outlive `app`.
void AddServerOption(CLI::App* app, std::string* server);

// The address to use: `server`, or the environment's default.
// Errors: InvalidArgument where there is neither.
absl::StatusOr<std::string> ServerAddress(const Environment& environment,
                                          const std::string& server);
// A client for that address.
absl::StatusOr<std::unique_ptr<JobClient>> ConnectToServer(const Environment& environment,
                                                           const std::string& server);

// Adds what a user can do to errors of calls about a job ("no such job").
absl::Status ExplainJobError(const absl::Status& status, const std::string& job_id);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_COMMAND_H_
