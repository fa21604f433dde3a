// A job file's text to a v1::JobSpec, as far as the text alone goes: no other
// file is opened (client/job_file/job_preparation.h does that).
#ifndef LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_PARSER_H_
#define LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_PARSER_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "client/job_file/job_file_problem.h"
#include "client/job_file/source_positions.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::client {

// A job file as read and checked by itself: no data file has been opened.
struct ParsedJobFile {
  // With all defaults. `name` falls back on the file's name; paths are still
  // as written. Only meaningful without problems.
  v1::JobSpec spec;
  // Where each field was written.
  SourcePositions positions;
  // Everything that is wrong, sorted by position; empty: all is well.
  std::vector<JobFileProblem> problems;
};

// Parses `text` as the contents of the job file `path` (used for the default
// name only; no file is opened). Any bytes will do as text.
ParsedJobFile ParseJobFile(absl::string_view text, absl::string_view path);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_PARSER_H_
