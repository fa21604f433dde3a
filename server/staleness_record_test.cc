#include "server/staleness_record.h"

#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

TEST(StalenessRecordTest, KeepsTheMostAndTheMean) {
  StalenessRecord record;
  EXPECT_EQ(record.Describe().mean_updates(), 0);
  record.Add(0, 0);
  record.Add(3, 1);
  record.Add(3, 0);
  EXPECT_EQ(record.Describe().updates(), 3u);
  EXPECT_EQ(record.Describe().most_updates(), 3u);
  EXPECT_EQ(record.Describe().mean_updates(), 2);
  EXPECT_EQ(record.Describe().most_steps(), 1u);
}

TEST(StalenessRecordTest, GoesOnFromACheckpoint) {
  StalenessRecord record;
  record.Add(4, 2);
  record.Add(0, 0);
  std::map<std::string, std::string> metadata;
  record.Save(&metadata);
  StalenessRecord again;
  again.Load(metadata);
  again.Add(5, 0);
  EXPECT_EQ(again.Describe().updates(), 3u);
  EXPECT_EQ(again.Describe().most_updates(), 5u);
  EXPECT_EQ(again.Describe().mean_updates(), 3);
  EXPECT_EQ(again.Describe().most_steps(), 2u);
  again.Load({});
  EXPECT_EQ(again.Describe().updates(), 0u);
}

}  // namespace
}  // namespace lockstep::server
