#include "client/output_format.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string Fraction(uint64_t part, uint64_t whole) { return absl::StrCat(part, "/", whole); }

std::string OptionalLoss(bool known, double loss) { return known ? Loss(loss) : ""; }

std::string Age(bool known, const google::protobuf::Timestamp& time, absl::Time now) {
  return known ? ShortDuration(now - FromProto(time)) : "";
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", FromProto(time), absl::UTCTimeZone());
}

std::string WorkerText(const v1::JobWorker& worker) {
  if (worker.first_shard() >= worker.end_shard()) return absl::StrCat(worker.name(), " (idle)");
  return absl::StrCat(worker.name(), " (shards ", worker.first_shard(), "-", worker.end_shard() - 1,
                      ")");
}

std::string ConsistencyText(const v1::ConsistencyChoice& choice) {
  if (choice.has_async()) return "async";
  if (choice.has_bounded_staleness()) {
    return absl::StrCat("bounded_staleness ", choice.bounded_staleness());
  }
  if (choice.has_local_sgd())
    return absl::StrCat("local_sgd, ", choice.local_sgd().steps(), " steps");
  return "sync";
}

std::string StalenessText(const v1::Staleness& staleness) {
  return absl::StrCat("at most ", staleness.most_updates(), " updates, in the mean ",
                      absl::StrFormat("%.1f", staleness.mean_updates()), "; at most ",
                      staleness.most_steps(), " steps ahead");
}

void AddProgressRows(const v1::Job& job, Rows* rows) {
  const v1::Progress& progress = job.progress();
  rows->push_back({"consistency:", ConsistencyText(job.spec().consistency())});
  if (progress.has_staleness()) {
    rows->push_back({"staleness:", StalenessText(progress.staleness())});
  }
  rows->push_back({"step:", Fraction(progress.step(), progress.total_steps())});
  rows->push_back({"epoch:", Fraction(progress.epoch(), progress.total_epochs())});
  rows->push_back({"examples:", absl::StrCat(progress.training_examples(), " training, ",
                                             progress.validation_examples(), " validation")});
  if (progress.has_ledger()) {
    rows->push_back({"examples consumed:", LedgerText(progress.ledger())});
  }
  if (progress.shards_audited() + progress.shards_speculated() + progress.answers_dropped() > 0) {
    rows->push_back({"shards:", absl::StrCat(progress.shards_audited(), " audited, ",
                                             progress.shards_speculated(), " speculated; ",
                                             progress.answers_dropped(), " late answers dropped")});
  }
  rows->push_back(
      {"training loss:", OptionalLoss(progress.has_training_loss(), progress.training_loss())});
  rows->push_back({"validation loss:",
                   OptionalLoss(progress.has_validation_loss(), progress.validation_loss())});
  rows->push_back({"validation accuracy:", progress.has_validation_accuracy()
                                               ? Percent(progress.validation_accuracy())
                                               : ""});
  rows->push_back({"examples/s:", absl::StrFormat("%.0f", progress.examples_per_second())});
  rows->push_back({"time to go:", progress.has_eta_seconds()
                                      ? ShortDuration(absl::Seconds(progress.eta_seconds()))
                                      : ""});
  rows->push_back({"training time:", absl::StrFormat("%.1f s", progress.training_seconds())});
}

}  // namespace

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string ToJson(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  // Only a timestamp out of range or text that is not UTF-8 gets here.
  if (!status.ok()) {
    return absl::StrCat("{\"error\": \"the server's answer cannot be shown as JSON\"}\n");
  }
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

std::string StateName(v1::JobState state) {
  const std::string& name = v1::JobState_Name(state);
  return name.empty() || state == v1::JOB_STATE_UNSPECIFIED ? "unknown"
                                                            : absl::AsciiStrToLower(name);
}

std::string JobTable(const v1::ListJobsResponse& jobs, absl::Time now) {
  if (jobs.jobs().empty()) return "no jobs\n";
  Rows rows = {{"JOB", "NAME", "STATE", "STEP", "EPOCH", "LOSS", "VAL LOSS", "VAL ACCURACY",
                "WORKERS", "PRIORITY", "AGE"}};
  for (const v1::Job& job : jobs.jobs()) {
    const v1::Progress& progress = job.progress();
    rows.push_back(
        {job.job_id(), job.spec().name(), StateName(job.state()),
         Fraction(progress.step(), progress.total_steps()),
         Fraction(progress.epoch(), progress.total_epochs()),
         OptionalLoss(progress.has_training_loss(), progress.training_loss()),
         OptionalLoss(progress.has_validation_loss(), progress.validation_loss()),
         progress.has_validation_accuracy() ? Percent(progress.validation_accuracy()) : "",
         absl::StrCat(job.workers_size()), absl::StrCat(job.spec().priority()),
         Age(job.has_submitted_at(), job.submitted_at(), now)});
  }
  return FormatTable(rows);
}

std::string WorkerTable(const v1::ListWorkersResponse& workers, absl::Time now) {
  if (workers.workers().empty()) return "no workers\n";
  Rows rows = {
      {"WORKER", "HOST", "PID", "THREADS", "INSTRUCTION SET", "JOB", "CONNECTED", "LAST HEARD"}};
  const bool any_quarantined =
      std::any_of(workers.workers().begin(), workers.workers().end(),
                  [](const v1::Worker& worker) { return !worker.quarantine().empty(); });
  if (any_quarantined) rows[0].push_back("QUARANTINE");
  for (const v1::Worker& worker : workers.workers()) {
    rows.push_back({worker.name(), worker.host(), absl::StrCat(worker.pid()),
                    absl::StrCat(worker.threads()), worker.instruction_set(), worker.job_id(),
                    Age(worker.has_connected_at(), worker.connected_at(), now),
                    absl::StrCat(worker.last_heard_ms(), " ms")});
    if (any_quarantined) rows.back().push_back(worker.quarantine());
  }
  return FormatTable(rows);
}

std::string ReleaseText(const v1::LiftQuarantineResponse& response, absl::string_view name) {
  if (response.lifted().empty()) return absl::StrCat(Printable(name), " was not in quarantine\n");
  std::string text;
  for (const v1::Worker& worker : response.lifted()) {
    absl::StrAppend(&text, Printable(worker.name()), " (", Printable(worker.host()), ", process ",
                    worker.pid(), ") is trusted again",
                    worker.has_connected_at() ? "" : " when it comes back",
                    "; was in quarantine: ", Printable(worker.quarantine()), "\n");
  }
  return text;
}

std::string LedgerText(const v1::ExampleLedger& ledger) {
  return absl::StrCat(ledger.consumed(), " of ", ledger.total(), ", ", ledger.lost(), " lost, ",
                      ledger.twice(), " twice");
}

std::string JobDetails(const v1::Job& job, absl::Time now) {
  Rows rows = {{"job:", job.job_id()},
               {"name:", job.spec().name()},
               {"state:", StateName(job.state())},
               {"reason:", job.state_reason()}};
  if (job.spec().priority() != 0)
    rows.push_back({"priority:", absl::StrCat(job.spec().priority())});
  if (job.spec().retries() > 0) {
    rows.push_back({"retries:", absl::StrCat(job.retries_used(), " of ", job.spec().retries())});
  }
  if (job.spec().has_forked_from()) {
    const v1::Fork& fork = job.spec().forked_from();
    rows.push_back({"goes on from:", absl::StrCat(fork.job_id(), "@", fork.step())});
  }
  AddProgressRows(job, &rows);
  rows.push_back({"workers:", job.workers().empty() ? "none" : WorkerText(job.workers(0))});
  for (int i = 1; i < job.workers_size(); ++i) rows.push_back({" ", WorkerText(job.workers(i))});
  if (job.has_submitted_at()) {
    rows.push_back(
        {"submitted:", absl::StrCat(TimeText(job.submitted_at()), " (",
                                    ShortDuration(now - FromProto(job.submitted_at())), " ago)")});
  }
  if (job.has_started_at()) rows.push_back({"started:", TimeText(job.started_at())});
  if (job.has_ended_at()) rows.push_back({"ended:", TimeText(job.ended_at())});
  if (!job.model_sha256().empty()) {
    rows.push_back({"checkpoint at step:", absl::StrCat(job.checkpoint_step())});
  }
  rows.push_back({"model sha256:", job.model_sha256()});
  if (!job.receipt().empty()) rows.push_back({"receipt:", job.receipt()});
  for (int i = 0; i < job.events_size(); ++i) {
    const v1::JobEvent& event = job.events(i);
    rows.push_back({i == 0 ? "events:" : " ",
                    absl::StrCat(TimeText(event.at()), " ", event.kind(), ": ", event.message())});
  }
  return FormatTable(rows);
}

std::string WorkerHint(const v1::Job& job, absl::string_view server) {
  if (job.state() != v1::QUEUED || !job.workers().empty()) return "";
  // The server may have said so already.
  const std::string command = absl::StrCat("lockstep-worker --server ", server);
  if (absl::StrContains(job.state_reason(), command)) return "";
  return absl::StrCat("to start a worker: ", command, "\n");
}

}  // namespace lockstep::client
