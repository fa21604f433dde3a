#include "client/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace lockstep::client {
namespace {

class ProgressTest : public testing::Test {
 protected:
  ProgressTest() {
    job_.set_job_id("job-1");
    job_.set_state(v1::RUNNING);
    v1::Progress* progress = job_.mutable_progress();
    progress->set_step(45);
    progress->set_total_steps(100);
    progress->set_epoch(1);
    progress->set_total_epochs(4);
    progress->set_training_loss(0.5);
    progress->set_examples_per_second(52345);
    progress->set_eta_seconds(80);
  }

  void AddEpoch(uint64_t epoch) {
    v1::EpochMetrics* metrics = job_.mutable_progress()->add_epochs();
    metrics->set_epoch(epoch);
    metrics->set_step(25 * epoch);
    metrics->set_training_loss(0.5);
    metrics->set_validation_loss(0.25);
    metrics->set_validation_accuracy(0.9);
    metrics->set_examples_per_second(1000);
  }

  ProgressOptions Options(bool terminal) {
    ProgressOptions options;
    options.out = &out_;
    options.err = &err_;
    options.terminal = terminal;
    options.width = [] { return 100; };
    options.now = [this] { return now_; };
    options.server = "big:7070";
    return options;
  }

  std::string Taken() {
    const std::string text = out_.str();
    out_.str("");
    return text;
  }

  v1::Job job_;
  absl::Time now_ = absl::UnixEpoch();
  std::ostringstream out_, err_;
};

TEST_F(ProgressTest, LineFitsTheTerminal) {
  EXPECT_EQ(ProgressLine(job_, 110),
            "[=============>                ]  45%  step 45/100  epoch 2/4  loss 0.5000  ETA 1m20s"
            "  52.3k examples/s");
  EXPECT_EQ(ProgressLine(job_, 62),
            "[==>   ]  45%  step 45/100  epoch 2/4  loss 0.5000  ETA 1m20s");
}

TEST_F(ProgressTest, LineIsNeverTooWide) {
  job_.set_state_reason("");
  for (int width = 0; width < 150; ++width) {
    EXPECT_LT(static_cast<int>(ProgressLine(job_, width).size()), std::max(width, 1)) << width;
  }
  EXPECT_EQ(ProgressLine(job_, 20), " 45%  step 45/100");
}

TEST_F(ProgressTest, PlainHasALinePerEpochAndOneEveryFewSeconds) {
  auto view = TextProgress(Options(false));
  view->Update(job_);
  EXPECT_EQ(Taken(),
            "job-1 running\n"
            "step 45/100  epoch 2/4  loss 0.5000  ETA 1m20s  52.3k examples/s\n");
  now_ += absl::Seconds(4);
  view->Update(job_);
  EXPECT_EQ(Taken(), "");
  now_ += absl::Seconds(2);
  view->Update(job_);
  EXPECT_EQ(Taken(), "step 45/100  epoch 2/4  loss 0.5000  ETA 1m20s  52.3k examples/s\n");
  AddEpoch(2);
  view->Update(job_);
  EXPECT_EQ(Taken(),
            "epoch 2/4  step 50  loss 0.5000  val loss 0.2500  accuracy 90.00 %  "
            "1.00k examples/s\n");
  view->Note("away");
  EXPECT_EQ(Taken(), "");
  EXPECT_EQ(err_.str(), "away\n");
  job_.set_state(v1::SUCCEEDED);
  view->Update(job_);
  EXPECT_EQ(Taken(), "job-1 succeeded\n");
}

TEST_F(ProgressTest, TerminalRedrawsOneLine) {
  auto view = TextProgress(Options(true));
  view->Update(job_);
  EXPECT_EQ(Taken(), "job-1 running\n" + ProgressLine(job_, 100));
  view->Update(job_);
  EXPECT_EQ(Taken(), "\r\x1b[K" + ProgressLine(job_, 100));
  AddEpoch(2);
  view->Update(job_);
  EXPECT_EQ(Taken(),
            "\r\x1b[K" + EpochLine(job_.progress().epochs(0), 4) + "\n" + ProgressLine(job_, 100));
  view->Note("away");
  EXPECT_EQ(Taken(), "\r\x1b[Kaway\n" + ProgressLine(job_, 100));
  view->Finish();
  EXPECT_EQ(Taken(), "\r\x1b[K");
}

TEST_F(ProgressTest, WaitingJobSaysForWhat) {
  job_.set_state(v1::QUEUED);
  job_.set_state_reason("waits for 1 worker");
  auto view = TextProgress(Options(false));
  view->Update(job_);
  view->Update(job_);
  EXPECT_EQ(Taken(),
            "job-1 queued: waits for 1 worker\n"
            "to start a worker: lockstep-worker --server big:7070\n");
  job_.set_state_reason("building the model");
  view->Update(job_);
  EXPECT_EQ(Taken(), "job-1 queued: building the model\n");
}

TEST_F(ProgressTest, OwnWorkersAreNoNews) {
  job_.set_state(v1::QUEUED);
  job_.set_state_reason("waits for 1 worker");
  ProgressOptions options = Options(false);
  options.own_workers = true;
  options.server = "";
  auto view = TextProgress(options);
  view->Update(job_);
  job_.set_state_reason("building the model");
  view->Update(job_);
  EXPECT_EQ(Taken(), "job-1 queued\n");
}

TEST_F(ProgressTest, ALongPastIsSkipped) {
  for (int epoch = 1; epoch <= 30; ++epoch) AddEpoch(epoch);
  auto view = TextProgress(Options(false));
  view->Update(job_);
  const std::string text = Taken();
  EXPECT_NE(text.find("(10 earlier epochs)\nepoch 11/4  "), std::string::npos) << text;
}

TEST_F(ProgressTest, TextOfTheServerCannotSteerTheTerminal) {
  job_.set_state_reason("x\x1b[2J\ny");
  auto view = TextProgress(Options(true));
  view->Update(job_);
  EXPECT_EQ(Taken().find("\x1b[2J"), std::string::npos);
}

TEST_F(ProgressTest, JsonIsALinePerUpdate) {
  auto view = JsonProgress(Options(false));
  view->Update(job_);
  view->Update(job_);
  view->Note("away");
  const std::string text = Taken();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(err_.str(), "away\n");
}

}  // namespace
}  // namespace lockstep::client
