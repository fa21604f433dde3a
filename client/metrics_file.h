// OUTPUT/metrics.jsonl: a line of JSON per finished epoch and a last one for
// the whole run; docs/metrics.md.
#ifndef LOCKSTEP_CLIENT_METRICS_FILE_H_
#define LOCKSTEP_CLIENT_METRICS_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/pull_model.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

// The last line. `model_path`: empty where no model was written.
std::string SummaryLine(const v1::Job& job, double seconds, const PulledModel& model,
                        const std::string& model_path, const std::string& metrics_path);

// Lines are whole or absent, even on a full disk. The file is written anew from
// its first epoch by each run, also by one that resumes: the job remembers.
// Threads: one at a time.
class MetricsFile {
 public:
  // Empties the file. Errors: AtomicFile's.
  static absl::StatusOr<std::unique_ptr<MetricsFile>> Create(const std::string& path);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

  // Appends the epochs that it does not have yet.
  void Update(const v1::Progress& progress);
  // Appends the last line. Returns the first error since Create().
  absl::Status Finish(absl::string_view summary_line);
  // The first error; after one nothing more is written.
  const absl::Status& status() const { return status_; }

 private:
  MetricsFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  void Append(absl::string_view line);

  const std::string path_;
  const int fd_;
  uint64_t size_bytes_ = 0;
  uint64_t last_step_ = 0;  // of the newest epoch in the file
  absl::Status status_;
};

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_METRICS_FILE_H_
