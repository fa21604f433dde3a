#include "server/work_counts.h"

#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

TEST(WorkCountsTest, ComeBackFromACheckpoint) {
  const WorkCounts counts{7, 5, 3};
  std::map<std::string, std::string> metadata;
  counts.Save(&metadata);
  WorkCounts loaded{100, 100, 100};
  loaded.Load(metadata);
  v1::Progress progress;
  loaded.Describe(&progress);
  EXPECT_EQ(progress.shards_audited(), 7u);
  EXPECT_EQ(progress.shards_speculated(), 5u);
  EXPECT_EQ(progress.answers_dropped(), 3u);
}

TEST(WorkCountsTest, AreZeroWhereACheckpointHasNone) {
  WorkCounts counts{7, 5, 3};
  counts.Load({{"count_shards_audited", "many"}});
  EXPECT_EQ(counts.shards_audited + counts.shards_speculated + counts.answers_dropped, 0u);
}

}  // namespace
}  // namespace lockstep::server
