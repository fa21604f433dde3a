// How the commands show jobs and workers: tables for people, or JSON for
// programs (protobuf's JSON mapping: lowerCamelCase names, 64-bit numbers as
// strings, fields with their default shown too).
#ifndef LOCKSTEP_CLIENT_OUTPUT_FORMAT_H_
#define LOCKSTEP_CLIENT_OUTPUT_FORMAT_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

enum class OutputFormat { kText, kJson };

// The message as one JSON document with a line end; `one_line` for JSON lines.
std::string ToJson(const google::protobuf::Message& message, bool one_line = false);

// "queued", "running", ...
std::string StateName(v1::JobState state);

// `lockstep list`. `now`: ages count from it.
std::string JobTable(const v1::ListJobsResponse& jobs, absl::Time now);
// `lockstep workers`.
std::string WorkerTable(const v1::ListWorkersResponse& workers, absl::Time now);
// `lockstep workers release NAME`: a line for each worker.
std::string ReleaseText(const v1::LiftQuarantineResponse& response, absl::string_view name);
// "120000 of 120000, 0 lost, 0 twice".
std::string LedgerText(const v1::ExampleLedger& ledger);
// `lockstep status`: everything that is known of one job.
std::string JobDetails(const v1::Job& job, absl::Time now);

// How to give a waiting job a worker; empty unless `job` is queued and has none.
// `server`: the address as the user wrote it.
std::string WorkerHint(const v1::Job& job, absl::string_view server);

absl::Time FromProto(const google::protobuf::Timestamp& time);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_OUTPUT_FORMAT_H_
