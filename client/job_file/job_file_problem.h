// One thing that is wrong with a job file, and how it is printed.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_PROBLEM_H_
#define LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_PROBLEM_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockstep::client {

// A place in a text file, both from 1; columns count bytes. 0: unknown.
struct SourcePosition {
  int line = 0;
  int column = 0;
};

inline bool operator==(SourcePosition a, SourcePosition b) {
  return a.line == b.line && a.column == b.column;
}
inline bool operator<(SourcePosition a, SourcePosition b) {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

struct JobFileProblem {
  SourcePosition position;
  // "optimizer.adam.learning_rate"; empty: the file as a whole.
  std::string path;
  // One line: "got 0, want 1 to 1024".
  std::string message;
  // For an unknown field: the path of the known one that was probably meant.
  std::string meant_path = {};
};

// More problems than this are counted, not shown.
constexpr int kMaxShownProblems = 20;

// Sorts by position; problems at the same place keep their order.
void SortProblems(std::vector<JobFileProblem>* problems);

// "job.yaml:7:3: shards: got 0, want 1 to 1024" for each problem, in order.
// After kMaxShownProblems one line tells how many more there are.
std::vector<std::string> FormatProblems(absl::string_view file,
                                        const std::vector<JobFileProblem>& problems);

// `text` between single quotes, on one line: control characters and broken
// UTF-8 are escaped, and only the beginning of a long text is shown.
std::string QuotedForMessage(absl::string_view text);

// A map's key as a part of a path: the same without the quotes, but an empty
// key is shown as ''.
std::string KeyForPath(absl::string_view key);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_PROBLEM_H_
