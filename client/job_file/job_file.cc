#include "client/job_file/job_file.h"

#include <utility>

#include "absl/status/statusor.h"
#include "client/job_file/job_file_parser.h"
#include "client/job_file/job_file_text.h"
#include "client/job_file/job_preparation.h"

namespace lockstep::client {

LoadedJobFile LoadJobFile(const std::string& path, const LayerRegistry& layers) {
  LoadedJobFile loaded;
  const absl::StatusOr<std::string> text = ReadJobFileText(path);
  if (!text.ok()) {
    loaded.problems = FormatProblems(path, {{{}, "", std::string(text.status().message())}});
    return loaded;
  }
  ParsedJobFile parsed = ParseJobFile(*text, path);
  if (parsed.problems.empty()) PrepareJob(path, layers, &parsed);
  SortProblems(&parsed.problems);
  loaded.spec = std::move(parsed.spec);
  loaded.problems = FormatProblems(path, parsed.problems);
  return loaded;
}

}  // namespace lockstep::client
