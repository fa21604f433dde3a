#include "client/command.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lockstep::client {

void AddFormatOption(CLI::App* app, OutputFormat* format) {
  app->add_option_function<std::string>(
         "--format",
         [format](const std::string& name) {
           *format = name == "json" ? OutputFormat::kJson : OutputFormat::kText;
         },
         "text (for people, the default) or json (for programs)")
      ->check(CLI::IsMember({"text", "json"}));
}

void AddServerOption(CLI::App* app, std::string* server) {
  app->add_option("--server", *server,
                  "The server: HOST:PORT or unix:PATH. Default: $LOCKSTEP_SERVER")
      ->type_name("ADDRESS");
}

absl::StatusOr<std::string> ServerAddress(const Environment& environment,
                                          const std::string& server) {
  if (!server.empty()) return server;
  if (!environment.default_server.empty()) return environment.default_server;
  return absl::InvalidArgumentError("no server: give --server HOST:PORT or set LOCKSTEP_SERVER");
}

absl::StatusOr<std::unique_ptr<JobClient>> ConnectToServer(const Environment& environment,
                                                           const std::string& server) {
  absl::StatusOr<std::string> address = ServerAddress(environment, server);
  if (!address.ok()) return address.status();
  return JobClient::Create(*address, environment.timeouts);
}

absl::Status ExplainJobError(const absl::Status& status, const std::string& job_id) {
  if (status.code() != absl::StatusCode::kNotFound) return status;
  const std::string message(status.message());
  return absl::NotFoundError(absl::StrCat(
      absl::StrContains(message, job_id) ? message : absl::StrCat("no job '", job_id, "'"),
      "; `lockstep list` shows the jobs"));
}

}  // namespace lockstep::client
