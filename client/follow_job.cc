#include "client/follow_job.h"

#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/command.h"
#include "client/exit_code.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

constexpr int kTickMilliseconds = 100;

void PrintEnd(const Environment& environment, const v1::Job& job) {
  std::ostream& out = *environment.out;
  if (job.progress().has_validation_accuracy()) {
    out << "validation accuracy: " << Percent(job.progress().validation_accuracy()) << '\n';
  }
  if (!job.model_sha256().empty()) {
    out << "model sha256: " << Printable(job.model_sha256()) << '\n';
  }
}

}  // namespace

FollowResult FollowJob(const InterruptWatcher& interrupt, JobWatcher* watcher, ProgressView* view,
                       const FollowHooks& hooks) {
  FollowResult result;
  const auto end = [&](absl::Status status) {
    view->Finish();
    result.status = std::move(status);
    return std::move(result);
  };
  while (true) {
    struct pollfd sources[2] = {{interrupt.fd(), POLLIN, 0}, {watcher->fd(), POLLIN, 0}};
    poll(sources, 2, hooks.tick ? kTickMilliseconds : -1);
    JobNews news = watcher->Take();
    for (const std::string& note : news.notes) view->Note(note);
    if (news.job.has_value()) {
      result.job = std::move(*news.job);
      view->Update(result.job);
      if (hooks.update) hooks.update(result.job);
    }
    if (news.ended.has_value()) return end(*std::move(news.ended));
    if (interrupt.interrupted()) return end(absl::CancelledError("interrupted"));
    if (hooks.tick) {
      absl::Status status = hooks.tick(view);
      if (!status.ok()) return end(std::move(status));
    }
  }
}

std::unique_ptr<ProgressView> MakeProgressView(const Environment& environment, OutputFormat format,
                                               const std::string& server) {
  ProgressOptions options;
  options.out = environment.out;
  options.err = environment.err;
  options.terminal = environment.out_is_terminal;
  options.width = environment.terminal_width;
  options.now = environment.now;
  options.own_workers = server.empty();
  options.server = server;
  return format == OutputFormat::kJson ? JsonProgress(std::move(options))
                                       : TextProgress(std::move(options));
}

int WatchToTheEnd(const Environment& environment, const InterruptWatcher& interrupt,
                  const std::string& server, const std::string& job_id, OutputFormat format) {
  absl::StatusOr<std::string> address = ServerAddress(environment, server);
  if (!address.ok()) return Fail(environment, address.status());
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, *address);
  if (!client.ok()) return Fail(environment, client.status());
  JobWatcher watcher(*std::move(client), job_id, environment.watch);
  const std::unique_ptr<ProgressView> view = MakeProgressView(environment, format, *address);
  const FollowResult result = FollowJob(interrupt, &watcher, view.get());
  if (absl::IsCancelled(result.status)) {
    *environment.err << "lockstep: stopped watching; " << Printable(job_id) << " goes on ("
                     << "lockstep cancel " << Printable(job_id) << " stops it)\n";
    return kExitInterrupted;
  }
  if (!result.status.ok()) return Fail(environment, ExplainJobError(result.status, job_id));
  if (format == OutputFormat::kText) PrintEnd(environment, result.job);
  return result.job.state() == v1::SUCCEEDED ? kExitOk : kExitFailed;
}

}  // namespace lockstep::client
