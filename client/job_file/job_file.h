// Job files: YAML text to a complete v1::JobSpec. docs/job_file.md is the
// user's view; proto/lockstep/v1/job.proto gives the fields and ranges. This is
// the part a command calls; it submits nothing and prints nothing.
#ifndef LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_H_
#define LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_H_

#include <string>
#include <vector>

#include "engine/model/layer_registry.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::client {

// What LoadJobFile gives.
struct LoadedJobFile {
  bool ok() const { return problems.empty(); }

  // Ready for SubmitJob: defaults filled in, every path absolute, digests and
  // data_summary set. Only meaningful if ok().
  v1::JobSpec spec;
  // One printable line each, "job.yaml:7:3: epochs: got 0, want >= 1", sorted
  // by position, at most about 20. A command prints them to stderr and exits
  // with 2.
  std::vector<std::string> problems;
};

// Reads the job file at `path`, opens its data files and init_from, checks
// shapes through the whole model, and fills in what the client adds at
// submission. Takes as long as reading the data files once or twice.
// Relative paths in the job file count from its own folder.
// `layers`: those that it may name besides job.proto's.
LoadedJobFile LoadJobFile(const std::string& path, const LayerRegistry& layers = {});

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_JOB_FILE_JOB_FILE_H_
