#include "server/storage/quarantine_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

using ::testing::HasSubstr;

TEST(QuarantineListTest, IsEmptyWithoutAFile) {
  const TemporaryFolder folder;
  const auto list = ReadQuarantines(folder.path());
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->empty());
}

TEST(QuarantineListTest, ComesBackAsItWasWritten) {
  const TemporaryFolder folder;
  const QuarantineList list = {{{"one", 7}, "job-1: wrong sum of shard 3 in step 5"},
                               {{"", 4294967295u}, "wrong"}};
  ASSERT_TRUE(WriteQuarantines(folder.path(), list).ok());
  EXPECT_EQ(ReadQuarantines(folder.path()).value(), list);
  ASSERT_TRUE(WriteQuarantines(folder.path(), {}).ok());
  EXPECT_TRUE(ReadQuarantines(folder.path())->empty());
}

TEST(QuarantineListTest, TextOfSeveralLinesStaysOne) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteQuarantines(folder.path(), {{{"a\tb", 1}, "x\ny"}}).ok());
  const QuarantineList want = {{{"a b", 1}, "x y"}};
  EXPECT_EQ(ReadQuarantines(folder.path()).value(), want);
}

TEST(QuarantineListTest, NamesALineThatIsNone) {
  const TemporaryFolder folder;
  for (const char* line : {"host\t1", "host\tnumber\twhy", "host\t-1\twhy", "host\t1\t"}) {
    std::ofstream(folder.path() + "/quarantines") << "host\t1\twhy\n" << line << "\n";
    const auto list = ReadQuarantines(folder.path());
    EXPECT_TRUE(absl::IsDataLoss(list.status())) << line;
    EXPECT_THAT(std::string(list.status().message()), HasSubstr("quarantines:2: got '"));
  }
}

}  // namespace
}  // namespace lockstep::server
