#include "client/job_file/job_file_problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::client {
namespace {

using ::testing::ElementsAre;

TEST(FormatProblemsTest, PrintsFilePositionPathAndMessage) {
  EXPECT_THAT(FormatProblems("job.yaml", {{{7, 3}, "shards", "got 0, want 1 to 1024"},
                                          {{}, "", "got a folder, want a job file in YAML"},
                                          {{1, 2}, "", "not valid YAML: bad"}}),
              ElementsAre("job.yaml:7:3: shards: got 0, want 1 to 1024",
                          "job.yaml: got a folder, want a job file in YAML",
                          "job.yaml:1:2: not valid YAML: bad"));
}

TEST(FormatProblemsTest, CountsTheProblemsThatItDoesNotShow) {
  std::vector<JobFileProblem> problems(kMaxShownProblems, {{1, 1}, "a", "b"});
  EXPECT_EQ(FormatProblems("f", problems).size(), kMaxShownProblems);
  problems.push_back({{2, 1}, "a", "b"});
  EXPECT_EQ(FormatProblems("f", problems).back(), "f: and 1 more problem");
  problems.push_back({{2, 1}, "a", "b"});
  EXPECT_EQ(FormatProblems("f", problems).back(), "f: and 2 more problems");
  EXPECT_EQ(FormatProblems("f", problems).size(), kMaxShownProblems + 1);
}

TEST(FormatProblemsTest, KeepsEachProblemOnOneLine) {
  EXPECT_THAT(FormatProblems("a\nb", {{{1, 1}, "c\x1b[0m", "d\re"}}),
              ElementsAre("a\\x0ab:1:1: c\\x1b[0m: d\\x0de"));
}

TEST(SortProblemsTest, OrdersByPositionAndKeepsEqualOnesInOrder) {
  std::vector<JobFileProblem> problems = {
      {{2, 1}, "", "d"}, {{1, 9}, "", "b"}, {{1, 9}, "", "c"}, {{1, 2}, "", "a"}};
  SortProblems(&problems);
  EXPECT_THAT(FormatProblems("f", problems),
              ElementsAre("f:1:2: a", "f:1:9: b", "f:1:9: c", "f:2:1: d"));
}

TEST(QuotedForMessageTest, ShortensAndEscapes) {
  EXPECT_EQ(QuotedForMessage("abc"), "'abc'");
  EXPECT_EQ(QuotedForMessage(""), "''");
  EXPECT_EQ(QuotedForMessage("é\n\xff"), "'é\\x0a\\xff'");
  EXPECT_EQ(QuotedForMessage(std::string(100, 'x')), "'" + std::string(60, 'x') + "...'");
  // 59 bytes and a character of two: not cut in its middle.
  EXPECT_EQ(QuotedForMessage(std::string(59, 'x') + "éy"), "'" + std::string(59, 'x') + "...'");
}

TEST(KeyForPathTest, ShowsAnEmptyKey) {
  EXPECT_EQ(KeyForPath("abc"), "abc");
  EXPECT_EQ(KeyForPath(""), "''");
}

}  // namespace
}  // namespace lockstep::client
