// lockstep verify JOB [--steps A..B]
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
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
  std::string steps;
  int threads = 0;
};

struct Stretch {
  uint64_t first = 0;
  uint64_t last = 0;
};

// What a comparison of receipts found.
struct ReceiptComparison {
  uint64_t compared = 0;
  std::optional<uint64_t> first_different;
};

// "A..B" within the steps that the job has a record of.
absl::StatusOr<Stretch> ParseSteps(const std::string& text, uint64_t recorded) {
  Stretch stretch{0, recorded};
  if (text.empty()) return stretch;
  const size_t dots = text.find("..");
  if (dots == std::string::npos || !absl::SimpleAtoi(text.substr(0, dots), &stretch.first) ||
      !absl::SimpleAtoi(text.substr(dots + 2), &stretch.last) || stretch.first >= stretch.last) {
    return absl::InvalidArgumentError(
        absl::StrCat("--steps: got '", text, "', want A..B with A < B, e.g. 100..200"));
  }
  if (stretch.last > recorded) {
    return absl::InvalidArgumentError(absl::StrCat("--steps: got ", text, ", want at most ",
                                                   recorded, ", up to which there is a record"));
  }
  return stretch;
}

ReceiptComparison CompareReceipts(const v1::ListReceiptsResponse& recorded,
                                  const std::vector<v1::Receipt>& computed,
                                  const Stretch& stretch) {
  ReceiptComparison comparison;
  for (const v1::Receipt& receipt : recorded.receipts()) {
    if (receipt.step() <= stretch.first || receipt.step() > stretch.last) continue;
    for (const v1::Receipt& other : computed) {
      if (other.step() != receipt.step()) continue;
      ++comparison.compared;
      const bool same = other.model_sha256() == receipt.model_sha256() &&
                        other.state_sha256() == receipt.state_sha256();
      if (!same && !comparison.first_different.has_value()) {
        comparison.first_different = receipt.step();
      }
    }
  }
  return comparison;
}

// Prints the verdict; returns the exit code.
int Report(const Options& options, const Environment& environment, const Stretch& stretch,
           uint64_t start, const DigestComparison& digests, const ReceiptComparison& receipts) {
  std::optional<uint64_t> differs = digests.first_different;
  if (receipts.first_different.has_value()) {
    differs = std::min(differs.value_or(UINT64_MAX), *receipts.first_different);
  }
  const bool by_digest = differs == digests.first_different;
  const std::string tensor = by_digest && !digests.tensors.empty() ? digests.tensors.front() : "";
  if (options.format == OutputFormat::kJson) {
    JsonObject json;
    json.Add("jobId", options.job_id)
        .Add("equal", !differs.has_value())
        .Add("firstStep", stretch.first)
        .Add("lastStep", stretch.last)
        .Add("computedFromStep", start)
        .Add("digestsCompared", digests.compared)
        .Add("receiptsCompared", receipts.compared);
    if (differs.has_value()) json.Add("differsAfterStep", *differs).Add("tensor", tensor);
    *environment.out << json.Line();
    return differs.has_value() ? kExitDamaged : kExitOk;
  }
  *environment.out << "computed again from step " << start << " on this machine\n";
  if (!differs.has_value()) {
    *environment.out << "equal: steps " << stretch.first << " to " << stretch.last << ", "
                     << digests.compared << " digests and " << receipts.compared
                     << " receipts compared\n";
    return kExitOk;
  }
  *environment.out << "DIFFERENT after step " << *differs;
  if (!tensor.empty()) {
    *environment.out << ": tensor " << Printable(tensor) << " (" << digests.tensors.size()
                     << " tensors differ)";
  } else {
    *environment.out << ": the optimizer's state or the model in the receipt";
  }
  *environment.out << "\n";
  if (digests.last_equal.has_value()) {
    *environment.out << "equal up to step " << *digests.last_equal << "\n";
  }
  return kExitDamaged;
}

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  absl::StatusOr<v1::Job> job;
  absl::StatusOr<v1::ListReceiptsResponse> receipts;
  absl::StatusOr<v1::JobDigests> digests;
  absl::StatusOr<StretchStart> start;
  Stretch stretch;
  {
    OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
    job = (*client)->Get(options.job_id);
    if (!job.ok()) return Fail(environment, ExplainJobError(job.status(), options.job_id));
    if (job->spec().consistency().has_async() ||
        job->spec().consistency().has_bounded_staleness()) {
      return Fail(environment, absl::FailedPreconditionError(absl::StrCat(
                                   options.job_id, ": its bits depend on the order of arrival; ",
                                   "use: lockstep replay ", options.job_id)));
    }
    receipts = (*client)->ListReceipts(options.job_id);
    if (!receipts.ok()) return Fail(environment, receipts.status());
    digests = (*client)->GetDigests(options.job_id, 0);
    if (!digests.ok()) return Fail(environment, digests.status());
    uint64_t recorded = 0;
    if (!digests->steps().empty()) recorded = digests->steps().rbegin()->step();
    if (!receipts->receipts().empty()) {
      recorded = std::max(recorded, receipts->receipts().rbegin()->step());
    }
    if (recorded == 0) {
      return Fail(environment, absl::FailedPreconditionError(absl::StrCat(
                                   options.job_id, ": nothing on record yet to compare with")));
    }
    const absl::StatusOr<Stretch> parsed = ParseSteps(options.steps, recorded);
    if (!parsed.ok()) return Fail(environment, parsed.status());
    stretch = *parsed;
    start = FindStart(client->get(), *job, *receipts, stretch.first);
    if (!start.ok()) return Fail(environment, start.status());
  }
  RecomputeOptions recompute;
  recompute.last_step = stretch.last;
  recompute.digest_interval = std::max<uint64_t>(1, job->spec().tensor_digests().interval_steps());
  recompute.threads = options.threads;
  const auto recomputed = Recompute(environment, &interrupt, *start, recompute);
  if (!recomputed.ok()) return Fail(environment, recomputed.status());
  stretch.first = std::max(stretch.first, start->step);
  const DigestComparison comparison =
      CompareDigests(*digests, recomputed->digests, stretch.first, stretch.last);
  const ReceiptComparison receipt_comparison =
      CompareReceipts(*receipts, recomputed->receipts, stretch);
  if (comparison.compared + receipt_comparison.compared == 0) {
    return Fail(environment,
                absl::FailedPreconditionError(absl::StrCat(
                    options.job_id, ": no step on record from ", stretch.first + 1, " to ",
                    stretch.last, " (tensor_digests.interval_steps sets how many there are)")));
  }
  return Report(options, environment, stretch, start->step, comparison, receipt_comparison);
}

}  // namespace

CommandFunction DeclareVerify(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  app->add_option("--steps", options->steps,
                  "Only the steps after A up to B, from the newest checkpoint that is not after "
                  "A. Default: all that are on record")
      ->type_name("A..B");
  app->add_option("--threads", options->threads, "Threads to compute with. Default: all")
      ->check(CLI::Range(1, 1024));
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
