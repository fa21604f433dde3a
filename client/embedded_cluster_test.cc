#include "client/embedded_cluster.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/time/clock.h"

namespace lockstep::client {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

class EmbeddedClusterTest : public testing::Test {
 protected:
  EmbeddedClusterTest() {
    std::string folder = testing::TempDir() + "/cluster-XXXXXX";
    folder_ = mkdtemp(folder.data());
    options_.server_program = Script("server", "echo listening on $2; exec sleep 1000");
    options_.worker_program = Script("worker", "exec sleep 1000");
    options_.state_dir = folder_ + "/state";
    options_.log_dir = folder_;
    options_.restart_backoff.first = absl::Milliseconds(1);
  }

  std::string Script(const std::string& name, const std::string& body) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    chmod(path.c_str(), 0755);
    return path;
  }

  // Supervises until `count` notes have come or an error has.
  absl::Status Supervise(EmbeddedCluster* cluster, size_t count) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline && notes_.size() < count) {
      absl::Status status = cluster->Supervise(&notes_);
      if (!status.ok()) return status;
      absl::SleepFor(absl::Milliseconds(1));
    }
    return absl::OkStatus();
  }

  std::string folder_;
  EmbeddedClusterOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(EmbeddedClusterTest, StartsOnAPrivateSocketAndCleansUp) {
  auto cluster = EmbeddedCluster::Start(options_);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  const std::string folder = (*cluster)->socket_folder();
  EXPECT_EQ((*cluster)->address(), "unix:" + folder + "/socket");
  struct stat info;
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_TRUE((*cluster)->StartWorkers().ok());
  EXPECT_TRUE((*cluster)->Supervise(&notes_).ok());
  EXPECT_TRUE(notes_.empty());
  (*cluster)->Stop();
  cluster->reset();
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST_F(EmbeddedClusterTest, TakesAShorterFolderForALongSocketPath) {
  options_.temporary_folder = "/" + std::string(120, 'x');
  auto cluster = EmbeddedCluster::Start(options_);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_EQ((*cluster)->address().find("unix:/tmp/"), 0u);
}

TEST_F(EmbeddedClusterTest, TellsWhyTheServerEndedEarly) {
  options_.server_program = Script("server", "echo no such state >&2; exit 1");
  const absl::Status status = EmbeddedCluster::Start(options_).status();
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_NE(status.message().find("exited with code 1: no such state"), std::string::npos);
}

TEST_F(EmbeddedClusterTest, TakesTheServersUsageErrorForTheUsers) {
  options_.server_program = Script("server", "echo bad flag >&2; exit 2");
  EXPECT_TRUE(absl::IsInvalidArgument(EmbeddedCluster::Start(options_).status()));
}

TEST_F(EmbeddedClusterTest, DoesNotWaitForEverForTheServer) {
  options_.server_program = Script("server", "echo hello; exec sleep 1000");
  options_.start_patience = absl::Milliseconds(200);
  EXPECT_TRUE(absl::IsInternal(EmbeddedCluster::Start(options_).status()));
  options_.start_patience = absl::Hours(1);
  EXPECT_TRUE(absl::IsCancelled(EmbeddedCluster::Start(options_, [] { return true; }).status()));
}

TEST_F(EmbeddedClusterTest, StartsADeadWorkerAgainThenGivesUp) {
  options_.worker_program = Script("worker", "echo sick >&2; exit 7");
  options_.most_restarts = 2;
  auto cluster = EmbeddedCluster::Start(options_);
  ASSERT_TRUE(cluster.ok());
  ASSERT_TRUE((*cluster)->StartWorkers().ok());
  const absl::Status status = Supervise(cluster->get(), 100);
  EXPECT_TRUE(absl::IsInternal(status)) << status;
  EXPECT_NE(status.message().find("no worker is left: "), std::string::npos) << status;
  ASSERT_EQ(notes_.size(), 3u);
  EXPECT_EQ(notes_[0].find("worker-0 exited with code 7; starting it again: sick (log: "), 0u)
      << notes_[0];
  EXPECT_NE(notes_[2].find("not started again"), std::string::npos);
}

TEST_F(EmbeddedClusterTest, GoesOnWithTheWorkersThatAreLeft) {
  options_.worker_program = Script("worker", "test $6 = worker-1 && exit 1; exec sleep 1000");
  options_.workers = 2;
  options_.most_restarts = 0;
  auto cluster = EmbeddedCluster::Start(options_);
  ASSERT_TRUE(cluster.ok());
  ASSERT_TRUE((*cluster)->StartWorkers().ok());
  EXPECT_TRUE(Supervise(cluster->get(), 1).ok());
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_EQ(notes_[0].find("worker-1 "), 0u);
}

TEST_F(EmbeddedClusterTest, ReportsTheServersDeath) {
  options_.server_program = Script("server", "echo listening on $2; sleep 0.1; kill -9 $$");
  auto cluster = EmbeddedCluster::Start(options_);
  ASSERT_TRUE(cluster.ok());
  const absl::Status status = Supervise(cluster->get(), 1);
  EXPECT_NE(status.message().find("lockstep-server was killed by signal 9"), std::string::npos)
      << status;
}

TEST_F(EmbeddedClusterTest, KillsWhatDoesNotStop) {
  options_.worker_program = Script("worker", "trap '' TERM; while :; do sleep 0.05; done");
  options_.stop_patience = absl::Milliseconds(100);
  auto cluster = EmbeddedCluster::Start(options_);
  ASSERT_TRUE(cluster.ok());
  ASSERT_TRUE((*cluster)->StartWorkers().ok());
  const absl::Time before = absl::Now();
  (*cluster)->Stop();
  EXPECT_LT(absl::Now() - before, kPatience);
}

}  // namespace
}  // namespace lockstep::client
