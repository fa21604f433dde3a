// Where each field of a message was written in the text that it was read from.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_SOURCE_POSITIONS_H_
#define LOCKSTEP_CLIENT_JOB_FILE_SOURCE_POSITIONS_H_

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "client/job_file/job_file_problem.h"

namespace lockstep::client {

// Field paths are "model[2].linear.out_features"; "" is the whole file.
class SourcePositions {
 public:
  void Add(std::string path, SourcePosition position);
  // Whether this very field was written.
  bool Has(absl::string_view path) const;
  // The field's place, or that of the nearest enclosing field that was written.
  SourcePosition Nearest(absl::string_view path) const;

 private:
  std::map<std::string, SourcePosition> positions_;
};

// "model[2].linear" for "model[2].linear.bias", "model" for "model[2]", "" for
// "model".
absl::string_view EnclosingPath(absl::string_view path);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_SOURCE_POSITIONS_H_
