#include "server/storage/quarantine_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

using ::testing::HasSubstr;

void ExpectEqual(const QuarantineList& got, const QuarantineList& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [key, process] : want) {
    ASSERT_EQ(got.count(key), 1) << key;
    EXPECT_EQ(got.at(key).name, process.name);
    EXPECT_EQ(got.at(key).host, process.host);
    EXPECT_EQ(got.at(key).pid, process.pid);
    EXPECT_EQ(got.at(key).reason, process.reason);
  }
}

TEST(QuarantineListTest, IsEmptyWithoutAFile) {
  const TemporaryFolder folder;
  const auto list = ReadQuarantines(folder.path());
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->empty());
}

TEST(QuarantineListTest, ComesBackAsItWasWritten) {
  const TemporaryFolder folder;
  const std::string instance = InstanceKey(std::string("\x00\t\n\xff", 4), "one", 7);
  const QuarantineList list = {{instance, {"w", "one", 7, "job-1: wrong sum of shard 3 in step 5"}},
                               {InstanceKey("", "", 4294967295u), {"", "", 4294967295u, "wrong"}}};
  ASSERT_TRUE(WriteQuarantines(folder.path(), list).ok());
  ExpectEqual(ReadQuarantines(folder.path()).value(), list);
  ASSERT_TRUE(WriteQuarantines(folder.path(), {}).ok());
  EXPECT_TRUE(ReadQuarantines(folder.path())->empty());
}

TEST(QuarantineListTest, TextOfSeveralLinesStaysOne) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteQuarantines(folder.path(), {{"a\tb", {"n\rn", "h\th", 1, "x\ny"}}}).ok());
  ExpectEqual(ReadQuarantines(folder.path()).value(), {{"a b", {"n n", "h h", 1, "x y"}}});
}

TEST(QuarantineListTest, LinesOfEarlierVersionsNameHostAndProcess) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/quarantines") << "host\t7\twhy\n";
  ExpectEqual(ReadQuarantines(folder.path()).value(),
              {{InstanceKey("", "host", 7), {"", "host", 7, "why"}}});
}

TEST(QuarantineListTest, NamesALineThatIsNone) {
  const TemporaryFolder folder;
  for (const char* line :
       {"host\t1", "host\tnumber\twhy", "host\t-1\twhy", "host\t1\t", "0a\tname\thost\twhy",
        "0a\tname\thost\t1x\twhy", "\tname\thost\t1\twhy", "0a\tname\thost\t1\t"}) {
    std::ofstream(folder.path() + "/quarantines") << "0a\tname\thost\t1\twhy\n" << line << "\n";
    const auto list = ReadQuarantines(folder.path());
    EXPECT_TRUE(absl::IsDataLoss(list.status())) << line;
    EXPECT_THAT(std::string(list.status().message()), HasSubstr("quarantines:2: got '"));
  }
}

}  // namespace
}  // namespace lockstep::server
