// Shows a job as it moves: a bar on a terminal, plain lines elsewhere, or JSON
// lines. Decides only what to print; job_watcher.h brings the news.
#ifndef LOCKSTEP_CLIENT_PROGRESS_H_
#define LOCKSTEP_CLIENT_PROGRESS_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::client {

// Threads: one at a time.
class ProgressView {
 public:
  virtual ~ProgressView() = default;
  virtual void Update(const v1::Job& job) = 0;
  // A line for people that stays, e.g. "the server is back".
  virtual void Note(absl::string_view text) = 0;
  // After the last update: leaves the terminal on a line of its own.
  virtual void Finish() = 0;
};

struct ProgressOptions {
  std::ostream* out = nullptr;
  // For notes where `out` is not a terminal, so that it holds the job's lines only.
  std::ostream* err = nullptr;
  // Whether `out` understands carriage return and "erase to the line's end".
  bool terminal = false;
  std::function<int()> width;  // columns of the terminal, asked at each redraw
  std::function<absl::Time()> now;
  // The workers are this process's own: why the job waits for them is no news.
  bool own_workers = false;
  // As the user wrote it, for the hint how to start a worker; empty: no hint.
  std::string server;
};

// A line per finished epoch and per change of state. On a terminal, below
// them, one line that is redrawn: bar, step, epoch, loss, examples/s, time to
// go. Elsewhere, a line every few seconds.
std::unique_ptr<ProgressView> TextProgress(ProgressOptions options);

// A line of JSON per update; notes go to `err`.
std::unique_ptr<ProgressView> JsonProgress(ProgressOptions options);

// Only the notes, to `err`.
std::unique_ptr<ProgressView> QuietProgress(std::ostream* err);

// The redrawn line of a running job, at most `width` columns: what matters
// least is left out first. (Exposed for tests.)
std::string ProgressLine(const v1::Job& job, int width);

// "epoch 3/10  step 1407  training loss 0.1234  ...". (Exposed for tests.)
std::string EpochLine(const v1::EpochMetrics& epoch, uint64_t total_epochs);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_PROGRESS_H_
