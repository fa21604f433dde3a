#include "client/job_watcher.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <functional>

#include "absl/time/clock.h"
#include "client/testing/fake_job_service.h"

namespace lockstep::client {
namespace {

constexpr int kPatienceMilliseconds = 20000;

v1::Job Job(v1::JobState state) {
  v1::Job job;
  job.set_job_id("job-1");
  job.set_state(state);
  return job;
}

class JobWatcherTest : public testing::Test {
 protected:
  JobWatcherTest() {
    options_.backoff.first = absl::Milliseconds(1);
    options_.backoff.longest = absl::Milliseconds(20);
  }

  std::unique_ptr<JobWatcher> Watch(const std::string& address) {
    return std::make_unique<JobWatcher>(*JobClient::Create(address, timeouts_), "job-1", options_);
  }

  // Takes news until `enough` says so; gathers notes and the newest rest.
  static JobNews TakeUntil(JobWatcher* watcher, const std::function<bool(const JobNews&)>& enough) {
    JobNews all;
    while (!enough(all)) {
      struct pollfd source = {watcher->fd(), POLLIN, 0};
      if (poll(&source, 1, kPatienceMilliseconds) != 1) {
        ADD_FAILURE() << "no news";
        return all;
      }
      JobNews news = watcher->Take();
      if (news.job.has_value()) all.job = news.job;
      if (news.ended.has_value()) all.ended = news.ended;
      all.notes.insert(all.notes.end(), news.notes.begin(), news.notes.end());
    }
    return all;
  }
  static bool Ended(const JobNews& news) { return news.ended.has_value(); }
  static bool HasJob(const JobNews& news) { return news.job.has_value(); }

  FakeJobService service_;
  JobClientTimeouts timeouts_;
  JobWatcherOptions options_;
};

TEST_F(JobWatcherTest, EndsWithTheJob) {
  service_.PutJob(Job(v1::RUNNING));
  FakeServer server(&service_);
  auto watcher = Watch(server.address());
  EXPECT_EQ(TakeUntil(watcher.get(), HasJob).job->state(), v1::RUNNING);
  service_.ChangeJob("job-1", [](v1::Job* job) { job->set_state(v1::SUCCEEDED); });
  const JobNews news = TakeUntil(watcher.get(), Ended);
  EXPECT_TRUE(news.ended->ok()) << *news.ended;
  EXPECT_EQ(news.job->state(), v1::SUCCEEDED);
  EXPECT_TRUE(news.notes.empty());
}

TEST_F(JobWatcherTest, DoesNotRetryWhatNoRetryHelps) {
  FakeServer server(&service_);
  auto watcher = Watch(server.address());
  EXPECT_TRUE(absl::IsNotFound(*TakeUntil(watcher.get(), Ended).ended));
}

TEST_F(JobWatcherTest, ComesBackAfterARestartOfTheServer) {
  service_.PutJob(Job(v1::RUNNING));
  auto server = std::make_unique<FakeServer>(&service_);
  const std::string address = server->address();
  auto watcher = Watch(address);
  TakeUntil(watcher.get(), HasJob);
  server.reset();
  TakeUntil(watcher.get(), [](const JobNews& news) { return !news.notes.empty(); });
  service_.PutJob(Job(v1::SUCCEEDED));
  server = std::make_unique<FakeServer>(&service_, address);
  const JobNews news = TakeUntil(watcher.get(), Ended);
  EXPECT_TRUE(news.ended->ok()) << *news.ended;
  ASSERT_EQ(news.notes.size(), 1u);
  EXPECT_EQ(news.notes[0], "the server is back");
}

TEST_F(JobWatcherTest, OpensAnotherStreamWhenTheOldOneIsOld) {
  timeouts_.watch = absl::Milliseconds(50);
  service_.PutJob(Job(v1::RUNNING));
  FakeServer server(&service_);
  auto watcher = Watch(server.address());
  while (service_.watch_calls() < 3) absl::SleepFor(absl::Milliseconds(1));
  service_.PutJob(Job(v1::SUCCEEDED));
  const JobNews news = TakeUntil(watcher.get(), Ended);
  EXPECT_TRUE(news.ended->ok()) << *news.ended;
}

TEST_F(JobWatcherTest, GivesUpWhenItsPatienceEnds) {
  options_.patience = absl::Milliseconds(30);
  auto watcher = Watch("unix:/nonexistent/socket");
  EXPECT_TRUE(absl::IsUnavailable(*TakeUntil(watcher.get(), Ended).ended));
}

TEST_F(JobWatcherTest, StopsAtOnceWhileItWaits) {
  options_.backoff.first = absl::Hours(1);
  options_.backoff.longest = absl::Hours(1);
  auto watcher = Watch("unix:/nonexistent/socket");
  TakeUntil(watcher.get(), [](const JobNews& news) { return !news.notes.empty(); });
}

}  // namespace
}  // namespace lockstep::client
