// lockstep receipts JOB
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/text_table.h"
#include "engine/model/job_identity.h"
#include "engine/model/receipt.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string job_id;
  std::string server;
  OutputFormat format = OutputFormat::kText;
};

// Whether the chain is whole and that of the job as it is described.
absl::Status Check(const v1::Job& job, const v1::ListReceiptsResponse& response) {
  const std::vector<v1::Receipt> receipts(response.receipts().begin(), response.receipts().end());
  if (absl::Status status = CheckReceiptChain(job.spec(), receipts); !status.ok()) return status;
  if (receipts.empty()) return absl::OkStatus();
  const std::string wanted = JobSha256(job.spec());
  if (receipts[0].job_sha256() != wanted || receipts[0].data_sha256() != DataSha256(job.spec())) {
    return absl::DataLossError(
        absl::StrCat("receipt of step ", receipts[0].step(), " is not of this job and its data"));
  }
  return absl::OkStatus();
}

std::string Table(const v1::JobSpec& spec, const v1::ListReceiptsResponse& response) {
  if (response.receipts().empty()) return "no receipts: no checkpoint yet\n";
  const v1::Receipt& first = response.receipts(0);
  std::vector<std::vector<std::string>> head = {{"job file sha256:", first.job_sha256()},
                                                {"data sha256:", first.data_sha256()},
                                                {"begins with:", first.previous()}};
  std::vector<std::vector<std::string>> rows = {
      {"STEP", "MODEL SHA256", "STATE SHA256", "RECEIPT"}};
  constexpr size_t kShown = 16;
  for (const v1::Receipt& receipt : response.receipts()) {
    rows.push_back({absl::StrCat(receipt.step()), receipt.model_sha256().substr(0, kShown),
                    receipt.state_sha256().substr(0, kShown), receipt.receipt()});
    if (!IsChained(spec, receipt.step())) rows.back().push_back("beside the chain");
  }
  return FormatTable(head) + FormatTable(rows);
}

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
  const absl::StatusOr<v1::Job> job = (*client)->Get(options.job_id);
  if (!job.ok()) return Fail(environment, ExplainJobError(job.status(), options.job_id));
  const absl::StatusOr<v1::ListReceiptsResponse> receipts = (*client)->ListReceipts(options.job_id);
  if (!receipts.ok()) return Fail(environment, receipts.status());
  *environment.out << (options.format == OutputFormat::kJson ? ToJson(*receipts)
                                                             : Table(job->spec(), *receipts));
  const absl::Status holds = Check(*job, *receipts);
  if (!holds.ok()) return Fail(environment, holds);
  if (options.format == OutputFormat::kText && !receipts->receipts().empty()) {
    *environment.out << "chain: whole, " << receipts->receipts_size() << " receipts\n";
  }
  return kExitOk;
}

}  // namespace

CommandFunction DeclareReceipts(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->job_id, "The job's id, e.g. job-1")->required();
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
