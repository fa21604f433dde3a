// lockstep diff JOB JOB
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/digest_comparison.h"
#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/job_difference.h"
#include "client/json_object.h"
#include "client/recomputation.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

struct Options {
  std::string left;
  std::string right;
  std::string server;
  OutputFormat format = OutputFormat::kText;
  bool recorded = false;
};

// All that a server knows of a job.
struct JobRecord {
  v1::Job job;
  v1::ListReceiptsResponse receipts;
  v1::JobDigests digests;
};

absl::StatusOr<JobRecord> Fetch(JobClient* client, const std::string& job_id) {
  JobRecord record;
  auto job = client->Get(job_id);
  if (!job.ok()) return ExplainJobError(job.status(), job_id);
  record.job = *std::move(job);
  auto receipts = client->ListReceipts(job_id);
  if (!receipts.ok()) return receipts.status();
  record.receipts = *std::move(receipts);
  auto digests = client->GetDigests(job_id, 0);
  if (!digests.ok()) return digests.status();
  record.digests = *std::move(digests);
  return record;
}

struct Findings {
  std::vector<FieldDifference> fields;
  DigestComparison comparison;
  // The step that parts them is known exactly, not only between two records.
  bool exact = false;
  // Why not.
  std::string note;

  PartingPlace place() const {
    if (!exact || !comparison.shards_known) return PartingPlace::kUnknown;
    return comparison.shards.empty() ? PartingPlace::kUpdate : PartingPlace::kGradient;
  }
};

// Computes both jobs again up to the step where the records part, and finds
// the very step, tensors and shards. A failure leaves a note.
void Narrow(const Environment& environment, InterruptWatcher* interrupt, JobClient* client,
            const JobRecord& left, const JobRecord& right, Findings* findings) {
  const uint64_t different = *findings->comparison.first_different;
  const uint64_t equal = findings->comparison.last_equal.value_or(0);
  RecomputeOptions options;
  options.last_step = different;
  options.shard_digests = true;
  std::vector<Recomputed> both;
  uint64_t from = 0;
  for (const JobRecord* record : {&left, &right}) {
    auto start = FindStart(client, record->job, record->receipts, equal);
    if (start.ok()) {
      from = std::max(from, start->step);
      auto recomputed = Recompute(environment, interrupt, *start, options);
      if (recomputed.ok()) {
        both.push_back(*std::move(recomputed));
        continue;
      }
      start = recomputed.status();
    }
    findings->note = absl::StrCat(record->job.job_id(), ": ", start.status().message());
    return;
  }
  const DigestComparison exact = CompareDigests(both[0].digests, both[1].digests, from, different);
  if (!exact.first_different.has_value()) {
    findings->note =
        "computed again, they are equal: one of them was not computed as its job "
        "file says; `lockstep verify` tells which";
    return;
  }
  findings->comparison = exact;
  findings->exact = true;
}

std::string Fields(const std::vector<FieldDifference>& fields) {
  std::vector<std::string> names;
  for (const FieldDifference& field : fields) names.push_back(field.field);
  return absl::StrJoin(names, ", ");
}

std::string ShardText(const DigestComparison& comparison) {
  if (!comparison.shards_known) return "not known";
  if (comparison.shards.empty()) return "none: all gradients are equal, the update differs";
  return absl::StrJoin(comparison.shards, ", ");
}

std::string Explanation(const Findings& findings) {
  const std::vector<FieldDifference> explaining = Explaining(findings.fields, findings.place());
  if (!explaining.empty()) return Fields(explaining);
  return findings.fields.empty() ? "no field: a machine has computed wrongly" : "not known";
}

void PrintText(const Options& options, const Environment& environment, const Findings& findings) {
  std::ostream& out = *environment.out;
  const DigestComparison& comparison = findings.comparison;
  if (findings.fields.empty()) {
    out << "job files: no field that decides the bits differs\n";
  } else {
    std::vector<std::vector<std::string>> rows = {{"FIELD", options.left, options.right}};
    for (const FieldDifference& field : findings.fields) {
      rows.push_back({field.field, field.left, field.right});
    }
    out << FormatTable(rows);
  }
  if (comparison.other_tensors) {
    out << "the models have different parameters\n";
  } else if (!comparison.first_different.has_value()) {
    out << "equal: " << comparison.compared << " digests compared";
    if (comparison.last_equal.has_value()) out << ", up to step " << *comparison.last_equal;
    out << "\n";
  } else {
    out << "they part at step:   " << *comparison.first_different - 1;
    if (!findings.exact) {
      out << " or before";
      if (comparison.last_equal.has_value()) out << ", not before " << *comparison.last_equal;
    }
    out << "\ntensors:             " << Printable(absl::StrJoin(comparison.tensors, ", ")) << "\n"
        << "shards:              " << ShardText(comparison) << "\n"
        << "explained by:        " << Explanation(findings) << "\n";
  }
  if (!findings.note.empty()) out << "note: " << Printable(findings.note) << "\n";
}

void PrintJson(const Options& options, const Environment& environment, const Findings& findings) {
  const DigestComparison& comparison = findings.comparison;
  std::vector<std::string> fields;
  for (const FieldDifference& field : findings.fields) fields.push_back(field.field);
  std::vector<std::string> explaining;
  for (const FieldDifference& field : Explaining(findings.fields, findings.place())) {
    explaining.push_back(field.field);
  }
  std::vector<std::string> shards;
  for (const int shard : comparison.shards) shards.push_back(absl::StrCat(shard));
  JsonObject json;
  json.Add("left", options.left)
      .Add("right", options.right)
      .Add("equal", !comparison.first_different.has_value() && !comparison.other_tensors)
      .Add("digestsCompared", comparison.compared)
      .Add("fields", fields);
  if (comparison.first_different.has_value()) {
    json.Add("step", *comparison.first_different - 1)
        .Add("stepIsExact", findings.exact)
        .Add("tensors", comparison.tensors)
        .Add("shardsKnown", comparison.shards_known)
        .Add("shards", shards)
        .Add("explainedBy", explaining);
  }
  if (!findings.note.empty()) json.Add("note", findings.note);
  *environment.out << json.Line();
}

int Run(const Options& options, const Environment& environment) {
  absl::StatusOr<std::unique_ptr<JobClient>> client = ConnectToServer(environment, options.server);
  if (!client.ok()) return Fail(environment, client.status());
  InterruptWatcher interrupt;
  absl::StatusOr<JobRecord> left, right;
  {
    OnInterruptScope cancel(&interrupt, [&] { (*client)->CancelCalls(); });
    left = Fetch(client->get(), options.left);
    if (!left.ok()) return Fail(environment, left.status());
    right = Fetch(client->get(), options.right);
    if (!right.ok()) return Fail(environment, right.status());
  }
  Findings findings;
  findings.fields = CompareJobs(left->job.spec(), right->job.spec());
  findings.comparison = CompareDigests(left->digests, right->digests, 0, UINT64_MAX);
  const DigestComparison& comparison = findings.comparison;
  if (!comparison.other_tensors && comparison.compared == 0) {
    return Fail(environment, absl::FailedPreconditionError(
                                 "the jobs have no recorded step in common to compare"));
  }
  findings.exact = comparison.first_different.has_value() && comparison.shards_known &&
                   *comparison.first_different == comparison.last_equal.value_or(0) + 1;
  if (comparison.first_different.has_value() && !findings.exact && !options.recorded) {
    Narrow(environment, &interrupt, client->get(), *left, *right, &findings);
    if (interrupt.interrupted()) return kExitInterrupted;
  }
  if (options.format == OutputFormat::kJson) {
    PrintJson(options, environment, findings);
  } else {
    PrintText(options, environment, findings);
  }
  const bool equal = !comparison.other_tensors && !comparison.first_different.has_value();
  return equal ? kExitOk : kExitDifferent;
}

}  // namespace

CommandFunction DeclareDiff(CLI::App* app) {
  auto options = std::make_shared<Options>();
  app->add_option("job", options->left, "A job's id, e.g. job-1")->required();
  app->add_option("other", options->right, "Another one's")->required();
  app->add_flag("--recorded", options->recorded,
                "Only compare what is on record; by default both are computed again on this "
                "machine up to where they part, to find the very step and shard");
  AddServerOption(app, &options->server);
  AddFormatOption(app, &options->format);
  return [options](const Environment& environment) { return Run(*options, environment); };
}

}  // namespace lockstep::client
