#include "client/progress.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/output_format.h"
#include "client/text_table.h"

namespace lockstep::client {
namespace {

// Often enough to see that it moves, seldom enough for a log file.
constexpr absl::Duration kPlainInterval = absl::Seconds(5);
constexpr int kEpochsShownOfThePast = 20;
constexpr int kWidestBar = 30;
constexpr int kNarrowestBar = 5;

std::string Bar(double part, int cells) {
  const int full = std::clamp(static_cast<int>(part * cells), 0, cells);
  std::string bar(full, '=');
  if (full < cells) bar += '>';
  bar.resize(cells, ' ');
  return absl::StrCat("[", bar, "] ");
}

// The parts of a running job's line, by falling importance.
std::vector<std::string> LineParts(const v1::Job& job) {
  const v1::Progress& progress = job.progress();
  std::vector<std::string> parts = {
      absl::StrCat("step ", progress.step(), "/", progress.total_steps())};
  if (!job.state_reason().empty()) {
    parts.push_back(Printable(job.state_reason()));
    return parts;
  }
  // The proto counts from 0; people count the epoch they are in from 1.
  const uint64_t epoch = std::min(progress.epoch() + 1, progress.total_epochs());
  parts.push_back(absl::StrCat("epoch ", epoch, "/", progress.total_epochs()));
  if (progress.has_training_loss()) {
    parts.push_back(absl::StrCat("loss ", Loss(progress.training_loss())));
  }
  if (progress.has_eta_seconds()) {
    parts.push_back(absl::StrCat("ETA ", ShortDuration(absl::Seconds(progress.eta_seconds()))));
  }
  if (progress.examples_per_second() > 0) {
    parts.push_back(absl::StrCat(ShortCount(progress.examples_per_second()), " examples/s"));
  }
  return parts;
}

std::string StateLine(const v1::Job& job, bool with_reason) {
  std::string line = absl::StrCat(Printable(job.job_id()), " ", StateName(job.state()));
  if (with_reason && !job.state_reason().empty())
    absl::StrAppend(&line, ": ", Printable(job.state_reason()));
  return line;
}

class TextView : public ProgressView {
 public:
  explicit TextView(ProgressOptions options) : options_(std::move(options)) {}

  void Update(const v1::Job& job) override {
    ShowState(job);
    ShowEpochs(job.progress());
    if (options_.terminal) {
      Redraw(job);
    } else {
      ShowPlain(job);
    }
    options_.out->flush();
  }

  void Note(absl::string_view text) override {
    Erase();
    std::ostream& stream = options_.terminal ? *options_.out : *options_.err;
    stream << Printable(text) << '\n' << std::flush;
    Draw();
  }

  void Finish() override {
    Erase();
    line_.clear();
    options_.out->flush();
  }

 private:
  void ShowState(const v1::Job& job) {
    const bool changed = job.state() != state_;
    // While a job waits, the reason is the news; while it runs, the line below has it.
    const bool new_reason = job.state() == v1::QUEUED && job.state_reason() != reason_;
    const bool own_wait = job.state() == v1::QUEUED && options_.own_workers;
    if (!changed && (own_wait || !new_reason)) return;
    state_ = job.state();
    reason_ = job.state_reason();
    Permanent(StateLine(job, /*with_reason=*/!own_wait));
    if (std::exchange(hinted_, true) || options_.server.empty()) return;
    const std::string hint = WorkerHint(job, options_.server);
    if (!hint.empty()) Permanent(hint.substr(0, hint.size() - 1));
  }

  void ShowEpochs(const v1::Progress& progress) {
    SkipOldEpochs(progress);
    for (const v1::EpochMetrics& epoch : progress.epochs()) {
      if (epoch.step() <= shown_step_) continue;
      shown_step_ = epoch.step();
      last_plain_ = options_.now();
      Permanent(EpochLine(epoch, progress.total_epochs()));
    }
  }

  // Who joins a long job late wants to see where it is, not scroll.
  void SkipOldEpochs(const v1::Progress& progress) {
    const int old = progress.epochs_size() - kEpochsShownOfThePast;
    if (std::exchange(joined_, true) || old <= 0) return;
    shown_step_ = progress.epochs(old - 1).step();
    Permanent(absl::StrCat("(", old, " earlier epochs)"));
  }

  void ShowPlain(const v1::Job& job) {
    const absl::Time now = options_.now();
    if (job.state() != v1::RUNNING || now - last_plain_ < kPlainInterval) return;
    last_plain_ = now;
    std::string line;
    for (const std::string& part : LineParts(job)) {
      absl::StrAppend(&line, line.empty() ? "" : "  ", part);
    }
    Permanent(line);
  }

  void Redraw(const v1::Job& job) {
    Erase();
    line_ = job.state() == v1::RUNNING ? ProgressLine(job, options_.width()) : "";
    Draw();
  }

  void Erase() {
    if (drawn_) *options_.out << "\r\x1b[K";
    drawn_ = false;
  }
  void Draw() {
    if (!options_.terminal || line_.empty()) return;
    *options_.out << line_ << std::flush;
    drawn_ = true;
  }
  void Permanent(absl::string_view text) {
    Erase();
    *options_.out << text << '\n';
  }

  const ProgressOptions options_;
  v1::JobState state_ = v1::JOB_STATE_UNSPECIFIED;
  std::string reason_;
  bool hinted_ = false;
  bool joined_ = false;      // whether there was an update before
  uint64_t shown_step_ = 0;  // of the newest epoch shown
  absl::Time last_plain_ = absl::InfinitePast();
  std::string line_;    // the redrawn line
  bool drawn_ = false;  // whether it stands on the terminal
};

class JsonView : public ProgressView {
 public:
  explicit JsonView(ProgressOptions options) : options_(std::move(options)) {}
  void Update(const v1::Job& job) override {
    *options_.out << ToJson(job, /*one_line=*/true) << std::flush;
  }
  void Note(absl::string_view text) override { *options_.err << Printable(text) << std::endl; }
  void Finish() override {}

 private:
  const ProgressOptions options_;
};

class QuietView : public ProgressView {
 public:
  explicit QuietView(std::ostream* err) : err_(err) {}
  void Update(const v1::Job&) override {}
  void Note(absl::string_view text) override { *err_ << Printable(text) << std::endl; }
  void Finish() override {}

 private:
  std::ostream* const err_;
};

}  // namespace

std::string ProgressLine(const v1::Job& job, int width) {
  const v1::Progress& progress = job.progress();
  const double part =
      progress.total_steps() == 0 ? 0 : 1.0 * progress.step() / progress.total_steps();
  std::string text = absl::StrFormat("%3.0f%%", std::min(100.0, 100 * part));
  // Not the last column: some terminals wrap there.
  const int columns = width - 1;
  for (const std::string& next : LineParts(job)) {
    if (static_cast<int>(text.size() + 2 + next.size()) > columns) break;
    absl::StrAppend(&text, "  ", next);
  }
  const int room = columns - static_cast<int>(text.size()) - 3;
  if (room >= kNarrowestBar) return Bar(part, std::min(room, kWidestBar)) + text;
  return text.substr(0, std::max(0, columns));
}

std::string EpochLine(const v1::EpochMetrics& epoch, uint64_t total_epochs) {
  std::string line = absl::StrCat("epoch ", epoch.epoch(), "/", total_epochs, "  step ",
                                  epoch.step(), "  loss ", Loss(epoch.training_loss()));
  if (epoch.has_validation_loss()) {
    absl::StrAppend(&line, "  val loss ", Loss(epoch.validation_loss()));
  }
  if (epoch.has_validation_accuracy()) {
    absl::StrAppend(&line, "  accuracy ", Percent(epoch.validation_accuracy()));
  }
  absl::StrAppend(&line, "  ", ShortCount(epoch.examples_per_second()), " examples/s");
  return line;
}

std::unique_ptr<ProgressView> TextProgress(ProgressOptions options) {
  return std::make_unique<TextView>(std::move(options));
}

std::unique_ptr<ProgressView> QuietProgress(std::ostream* err) {
  return std::make_unique<QuietView>(err);
}

std::unique_ptr<ProgressView> JsonProgress(ProgressOptions options) {
  return std::make_unique<JsonView>(std::move(options));
}

}  // namespace lockstep::client
