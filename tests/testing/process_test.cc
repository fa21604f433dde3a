#include "tests/testing/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "tests/testing/process_table.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

TEST(ProcessTest, KeepsOutputErrorsAndExitCode) {
  LoggedFolder folder;
  Process process(folder, "echo", {{"sh", "-c", "echo one; echo two >&2; exit 3"}, {}, ""});
  ASSERT_TRUE(process.WaitForEnd(kPatience));
  EXPECT_EQ(process.exit_code(), 3);
  EXPECT_EQ(process.out(), "one\n");
  EXPECT_EQ(process.err(), "two\n");
}

TEST(ProcessTest, GetsEnvironmentArgumentsAndFolder) {
  LoggedFolder folder;
  Process process(folder, "sh",
                  {{"sh", "-c", "echo \"$A|$0|$1\"; pwd -P", "a b", "c"}, {"A=x y"}, "/"});
  ASSERT_TRUE(process.WaitForEnd(kPatience));
  EXPECT_EQ(process.out(), "x y|a b|c\n/\n");
}

TEST(ProcessTest, NamesTheSignalThatEndedIt) {
  LoggedFolder folder;
  Process process(folder, "sleep", {{"sleep", "1000"}, {}, ""});
  process.Signal(SIGTERM);
  ASSERT_TRUE(process.WaitForEnd(kPatience));
  EXPECT_EQ(process.EndText(), "was killed by signal 15 (Terminated)");
  EXPECT_EQ(process.exit_code(), -1);
}

TEST(ProcessTest, EndsWithItsObject) {
  LoggedFolder folder;
  std::vector<ProcessIdentity> children;
  {
    Process process(folder, "sleep", {{"sleep", "1000"}, {}, ""});
    children = ChildrenOf(getpid());
    ASSERT_EQ(children.size(), 1u);
    EXPECT_EQ(children[0].pid, process.pid());
    EXPECT_TRUE(IsAlive(children[0]));
  }
  EXPECT_FALSE(IsAlive(children[0]));
}

TEST(LoggedFolderTest, ShowsTheEndOfLogsOnly) {
  LoggedFolder folder;
  folder.Write("a.log", "one\n");
  folder.Write("b.err", "");
  folder.Write("c.yaml", "hidden\n");
  EXPECT_EQ(folder.Logs(), "---- a.log\none\n---- b.err (empty)\n");
}

}  // namespace
}  // namespace lockstep::tests
