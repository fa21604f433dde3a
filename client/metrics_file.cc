#include "client/metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "client/atomic_file.h"
#include "client/json_object.h"
#include "client/output_format.h"

namespace lockstep::client {
namespace {

std::optional<double> If(bool known, double number) {
  return known ? std::optional<double>(number) : std::nullopt;
}

std::string MetricsLine(const v1::EpochMetrics& epoch) {
  return JsonObject()
      .Add("kind", "epoch")
      .Add("epoch", epoch.epoch())
      .Add("step", epoch.step())
      .Add("training_loss", epoch.training_loss())
      .Add("validation_loss", If(epoch.has_validation_loss(), epoch.validation_loss()))
      .Add("validation_accuracy", If(epoch.has_validation_accuracy(), epoch.validation_accuracy()))
      .Add("examples_per_second", epoch.examples_per_second())
      .Line();
}

}  // namespace

std::string SummaryLine(const v1::Job& job, double seconds, const PulledModel& model,
                        const std::string& model_path, const std::string& metrics_path) {
  const v1::Progress& progress = job.progress();
  return JsonObject()
      .Add("kind", "summary")
      .Add("job_id", job.job_id())
      .Add("name", job.spec().name())
      .Add("state", StateName(job.state()))
      .Add("state_reason", job.state_reason())
      .Add("step", progress.step())
      .Add("total_steps", progress.total_steps())
      .Add("epoch", progress.epoch())
      .Add("total_epochs", progress.total_epochs())
      .Add("training_loss", If(progress.has_training_loss(), progress.training_loss()))
      .Add("validation_loss", If(progress.has_validation_loss(), progress.validation_loss()))
      .Add("validation_accuracy",
           If(progress.has_validation_accuracy(), progress.validation_accuracy()))
      .Add("training_seconds", progress.training_seconds())
      .Add("seconds", seconds)
      .Add("metrics", metrics_path)
      .Add("model", model_path)
      .Add("model_step", model.step)
      .Add("model_sha256", model.sha256)
      .Line();
}

absl::StatusOr<std::unique_ptr<MetricsFile>> MetricsFile::Create(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return FileError(errno, "creating", path);
  return std::unique_ptr<MetricsFile>(new MetricsFile(path, fd));
}

MetricsFile::~MetricsFile() { close(fd_); }

void MetricsFile::Append(absl::string_view line) {
  if (!status_.ok()) return;
  status_ = WriteAll(fd_, line, path_);
  if (status_.ok()) {
    size_bytes_ += line.size();
  } else if (ftruncate(fd_, static_cast<off_t>(size_bytes_)) != 0) {
    // The half line stays; the error is reported either way.
    return;
  }
}

void MetricsFile::Update(const v1::Progress& progress) {
  for (const v1::EpochMetrics& epoch : progress.epochs()) {
    if (epoch.step() <= last_step_) continue;
    last_step_ = epoch.step();
    Append(MetricsLine(epoch));
  }
}

absl::Status MetricsFile::Finish(absl::string_view summary_line) {
  Append(summary_line);
  return status_;
}

}  // namespace lockstep::client
