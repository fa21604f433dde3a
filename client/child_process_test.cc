#include "client/child_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "absl/time/clock.h"

namespace lockstep::client {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

std::string NewFolder() {
  std::string folder = testing::TempDir() + "/child-XXXXXX";
  return mkdtemp(folder.data());
}

ChildProcessOptions Shell(const std::string& script, const std::string& folder) {
  ChildProcessOptions options;
  options.command = {"/bin/sh", "-c", script};
  options.log_path = folder + "/log";
  return options;
}

TEST(ChildProcessTest, LogsAndReportsItsExitCode) {
  const std::string folder = NewFolder();
  auto child = ChildProcess::Start(Shell("echo one; echo two >&2; exit 3", folder));
  ASSERT_TRUE(child.ok()) << child.status();
  ASSERT_TRUE((*child)->WaitForEnd(kPatience));
  EXPECT_EQ((*child)->exit_code(), 3);
  EXPECT_EQ((*child)->EndText(), "exited with code 3");
  EXPECT_EQ(LastLines(folder + "/log", 5), "one\ntwo\n");
  EXPECT_EQ(LastLines(folder + "/log", 1), "two\n");
}

TEST(ChildProcessTest, ReadsItsOutputLineByLine) {
  const std::string folder = NewFolder();
  ChildProcessOptions options = Shell("printf 'first\\nsec'; echo ond; sleep 100", folder);
  options.read_output = true;
  auto child = ChildProcess::Start(options);
  ASSERT_TRUE(child.ok());
  EXPECT_EQ((*child)->ReadLine(kPatience), "first");
  EXPECT_EQ((*child)->ReadLine(kPatience), "second");
  EXPECT_EQ((*child)->ReadLine(absl::Milliseconds(1)), std::nullopt);
  EXPECT_FALSE((*child)->HasEnded());
  (*child)->Terminate();
  ASSERT_TRUE((*child)->WaitForEnd(kPatience));
  EXPECT_EQ((*child)->exit_code(), std::nullopt);
  EXPECT_EQ((*child)->EndText(), "was killed by signal 15 (Terminated)");
}

TEST(ChildProcessTest, NamesAProgramThatCannotRun) {
  ChildProcessOptions options;
  options.command = {"/nonexistent/program"};
  options.log_path = NewFolder() + "/log";
  const absl::Status status = ChildProcess::Start(options).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_NE(status.message().find("/nonexistent/program"), std::string::npos);
}

TEST(ChildProcessTest, HasAProcessGroupOfItsOwnAndNoInput) {
  const std::string folder = NewFolder();
  auto child = ChildProcess::Start(Shell("cat; ps -o pgid= -p $$ | tr -d ' '", folder));
  ASSERT_TRUE(child.ok());
  EXPECT_NE(getpgid((*child)->pid()), getpgrp());
  EXPECT_TRUE((*child)->WaitForEnd(kPatience));
}

TEST(ChildProcessTest, DiesWithItsParentWhateverEndedThat) {
  const std::string folder = NewFolder();
  // Orphans come to this process, so that their end can be seen.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t parent = fork();
  if (parent == 0) {
    auto child = ChildProcess::Start(Shell("exec sleep 1000", folder));
    std::ofstream(folder + "/pid") << (*child)->pid() << std::endl;
    raise(SIGKILL);
  }
  ASSERT_EQ(waitpid(parent, nullptr, 0), parent);
  pid_t child = 0;
  std::ifstream(folder + "/pid") >> child;
  ASSERT_GT(child, 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

}  // namespace
}  // namespace lockstep::client
