#include "server/storage/sqlite.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "server/storage/small_disk.h"
#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

class SqliteTest : public ::testing::Test {
 protected:
  std::unique_ptr<Database> Open(absl::Duration busy_timeout = absl::ZeroDuration()) {
    auto database = Database::Open(path_, busy_timeout);
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/test.db";
};

TEST_F(SqliteTest, GivesBackWhatWasBound) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a INTEGER, b TEXT, c BLOB, d BLOB)").ok());
  const std::string bytes("\0\xff'\n", 4);
  auto insert = database->Prepare("INSERT INTO t VALUES (?, ?, ?, ?)");
  ASSERT_TRUE(insert.ok()) << insert.status();
  ASSERT_TRUE(insert->BindInteger(-5).BindText("größe").BindBytes(bytes).BindNull().Run().ok());
  auto select = database->Prepare("SELECT a, b, c, d FROM t");
  ASSERT_TRUE(select.ok());
  ASSERT_EQ(*select->Step(), true);
  EXPECT_EQ(select->Integer(0), -5);
  EXPECT_EQ(select->Bytes(1), "größe");
  EXPECT_EQ(select->Bytes(2), bytes);
  EXPECT_TRUE(select->IsNull(3));
  EXPECT_EQ(*select->Step(), false);
}

TEST_F(SqliteTest, EmptyBytesAreNotNull) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a BLOB NOT NULL)").ok());
  auto insert = database->Prepare("INSERT INTO t VALUES (?)");
  EXPECT_TRUE(insert->BindBytes({}).Run().ok());
}

TEST_F(SqliteTest, ReportsABadBind) {
  auto database = Open();
  auto select = database->Prepare("SELECT ?");
  ASSERT_TRUE(select.ok());
  EXPECT_FALSE(select->BindInteger(1).BindInteger(2).Step().ok());
}

TEST_F(SqliteTest, UncommittedTransactionLeavesNothing) {
  auto database = Open();
  ASSERT_TRUE(database->Execute("CREATE TABLE t (a INTEGER)").ok());
  {
    auto transaction = Transaction::Begin(*database);
    ASSERT_TRUE(transaction.ok());
    ASSERT_TRUE(database->Execute("INSERT INTO t VALUES (1)").ok());
  }
  EXPECT_EQ(*database->QueryInteger("SELECT COUNT(*) FROM t"), 0);
  {
    auto transaction = Transaction::Begin(*database);
    ASSERT_TRUE(database->Execute("INSERT INTO t VALUES (1)").ok());
    ASSERT_TRUE(transaction->Commit().ok());
  }
  EXPECT_EQ(*database->QueryInteger("SELECT COUNT(*) FROM t"), 1);
}

TEST_F(SqliteTest, NotADatabaseIsDataLossAndNamesTheFile) {
  WriteTestFile(path_, std::string(4096, 'x'));
  auto database = Open();
  const absl::Status read = database->QueryInteger("SELECT COUNT(*) FROM sqlite_master").status();
  EXPECT_EQ(read.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(read.message().find(path_), absl::string_view::npos) << read;
}

TEST_F(SqliteTest, HeldDatabaseIsUnavailable) {
  auto first = Open();
  auto second = Open();
  auto transaction = Transaction::Begin(*first);
  ASSERT_TRUE(transaction.ok());
  EXPECT_EQ(Transaction::Begin(*second).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(SqliteTest, MissingFolderIsPermissionDenied) {
  EXPECT_EQ(Database::Open(folder_.path() + "/none/test.db", absl::ZeroDuration()).status().code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(SqliteTest, FullDiskIsResourceExhausted) {
  if (!MountSmallDisk(folder_.path(), "256k")) GTEST_SKIP() << "mounting is not allowed here";
  {
    auto database = Open();
    ASSERT_TRUE(database->Execute("CREATE TABLE t (a BLOB)").ok());
    const absl::Status full = database->Execute("INSERT INTO t VALUES (randomblob(1000000))");
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
    EXPECT_TRUE(database->Execute("INSERT INTO t VALUES (randomblob(1000))").ok());
  }
  UnmountDisk(folder_.path());
}

}  // namespace
}  // namespace lockstep::server
