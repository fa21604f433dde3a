// lockstep replay JOB
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/digest_comparison.h"
#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/json_object.h"
#include "client/recomputation.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_id;
  std::string server;
  OutputFormat format = OutputFormat::kText;
  int threads = 0;
};

int Report(const Options& options, const Environment& environment, const v1::Arrivals& arrivals,
           const DigestComparison& comparison, const std::string& model_sha256) {
  const bool equal = !comparison.first_different.has_value();
  if (options.format == OutputFormat::kJson) {
    JsonObject json;
    json.Add("jobId", options.job_id)
        .Add("equal", equal)
        .Add("lastStep", arrivals.step())
        .Add("updates", static_cast<uint64_t>(arrivals.tickets_size()))
        .Add("digestsCompared", comparison.compared)
        .Add("modelSha256", model_sha256);
    if (!equal) json.Add("differsAfterStep", *comparison.first_different);
    *environment.out << json.Line();
  } else {
    *environment.out << "repeated " << arrivals.tickets_size() << " updates, up to step "
                     << arrivals.step() << "\n"
                     << (equal ? "equal: " : "DIFFERENT: ") << comparison.compared
                     << " digests compared";
    if (!equal)
      *environment.out << ", the first that differs after step " << *comparison.first_different;
    *environment.out << "\nmodel sha256: " << Printable(model_sha256) << "\n";
  }
  return equal ? kExitOk : kExitDamaged;
}

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  absl::StatusOr<StretchStart> start;
  absl::StatusOr<v1::JobDigests> digests;
  {
    OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
    const absl::StatusOr<v1::Job> job = (*client)->Get(options.job_id);
    if (!job.ok()) return Fail(environment, ExplainJobError(job.status(), options.job_id));
    const absl::StatusOr<v1::Arrivals> arrivals = (*client)->GetArrivals(options.job_id);
    if (!arrivals.ok()) return Fail(environment, arrivals.status());
    if (arrivals->tickets().empty()) {
      return Fail(
          environment,
          absl::FailedPreconditionError(absl::StrCat(
              options.job_id, ": no order of arrival on record (it is that of jobs with ",
              "`consistency: async` or `bounded_staleness`, up to their last checkpoint)")));
    }
    digests = (*client)->GetDigests(options.job_id, 0);
    if (!digests.ok()) return Fail(environment, digests.status());
    start = FindStart(client->get(), *job, v1::ListReceiptsResponse(), 0);
    if (!start.ok()) return Fail(environment, start.status());
    start->replay = *arrivals;
  }
  RecomputeOptions recompute;
  recompute.last_step = UINT64_MAX;  // it ends where the log does
  recompute.threads = options.threads;
  const auto recomputed = Recompute(environment, &interrupt, *start, recompute);
  if (!recomputed.ok()) return Fail(environment, recomputed.status());
  const DigestComparison comparison =
      CompareDigests(*digests, recomputed->digests, 0, start->replay.step());
  if (comparison.compared == 0) {
    return Fail(environment, absl::FailedPreconditionError(
                                 absl::StrCat(options.job_id, ": no digest to compare with")));
  }
  const std::string model_sha256 =
      recomputed->receipts.empty() ? "" : recomputed->receipts.back().model_sha256();
  return Report(options, environment, start->replay, comparison, model_sha256);
}

}  // namespace

CommandFunction DeclareReplay(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  app->add_option("--threads", options->threads, "Threads to compute with. Default: all")
      ->check(CLI::Range(1, 1024));
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
