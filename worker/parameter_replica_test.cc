#include "worker/parameter_replica.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace lockstep::worker {
namespace {

// Fills a chunk with one value.
absl::Status Give(ParameterReplica& replica, uint64_t version, uint32_t chunk, float value) {
  const int64_t size =
      replica.ChunkEnd(static_cast<int>(chunk)) - replica.ChunkBegin(static_cast<int>(chunk));
  return replica.Receive(version, chunk, size * sizeof(float),
                         [size, value](float* out) { std::fill_n(out, size, value); });
}

TEST(ParameterReplicaTest, AVersionIsAdoptedWhenAllItsChunksAreThere) {
  ParameterReplica replica(40, 16);
  ASSERT_EQ(replica.chunk_count(), 3);
  EXPECT_EQ(replica.ChunkEnd(2), 40);
  ASSERT_TRUE(Give(replica, 7, 0, 1).ok());
  ASSERT_TRUE(Give(replica, 7, 2, 3).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(replica.Adopt(7).status()));
  ASSERT_TRUE(Give(replica, 7, 2, 3).ok());  // a second copy is no further chunk
  EXPECT_TRUE(absl::IsFailedPrecondition(replica.Adopt(7).status()));
  ASSERT_TRUE(Give(replica, 7, 1, 2).ok());
  const auto flat = replica.Adopt(7);
  ASSERT_TRUE(flat.ok());
  EXPECT_EQ(flat->data<float>()[0], 1);
  EXPECT_EQ(flat->data<float>()[16], 2);
  EXPECT_EQ(flat->data<float>()[39], 3);
}

TEST(ParameterReplicaTest, TheVersionInUseStaysWhileTheNextOneFills) {
  ParameterReplica replica(8, 16);
  ASSERT_TRUE(Give(replica, 0, 0, 5).ok());
  const auto present = replica.Adopt(0);
  ASSERT_TRUE(present.ok());
  ASSERT_TRUE(Give(replica, 1, 0, 6).ok());
  EXPECT_EQ(present->data<float>()[0], 5);
  EXPECT_TRUE(replica.Adopt(0)->SharesElementsWith(*present));
  EXPECT_EQ(replica.Adopt(1)->data<float>()[0], 6);
  EXPECT_FALSE(replica.Adopt(0).ok());
}

TEST(ParameterReplicaTest, AnotherVersionBeginsAnew) {
  ParameterReplica replica(32, 16);
  ASSERT_TRUE(Give(replica, 3, 0, 1).ok());
  ASSERT_TRUE(Give(replica, 4, 1, 1).ok());
  EXPECT_FALSE(replica.Adopt(4).ok());
  ASSERT_TRUE(Give(replica, 4, 0, 1).ok());
  EXPECT_TRUE(replica.Adopt(4).ok());
}

TEST(ParameterReplicaTest, ChunksThatDoNotFitAreRefused) {
  ParameterReplica replica(40, 16);
  const auto nothing = [](float*) { FAIL() << "must not be asked to copy"; };
  EXPECT_TRUE(absl::IsInvalidArgument(replica.Receive(0, 3, 32, nothing)));
  EXPECT_TRUE(absl::IsInvalidArgument(replica.Receive(0, 2, 64, nothing)));
  EXPECT_TRUE(absl::IsInvalidArgument(replica.Receive(0, 0, 0, nothing)));
}

TEST(ParameterReplicaTest, ALaterVersionMakesAnEarlierOnePast) {
  ParameterReplica replica(4, 2);
  const auto copy = [](float* out) { out[0] = out[1] = 0; };
  EXPECT_FALSE(replica.IsPast(7));
  for (uint32_t chunk : {0, 1}) ASSERT_TRUE(replica.Receive(7, chunk, 8, copy).ok());
  EXPECT_FALSE(replica.IsPast(7));
  ASSERT_TRUE(replica.Receive(8, 0, 8, copy).ok());
  EXPECT_TRUE(replica.IsPast(7));
  EXPECT_FALSE(replica.Adopt(7).ok());
  EXPECT_FALSE(replica.IsPast(8));
}

// A version in memory that another process shares.
class SharedVersion {
 public:
  explicit SharedVersion(int64_t elements) : own_(Tensor::Zeros(Shape{elements})) {
    foreign_ = Tensor::View(Storage::Use(std::make_shared<StorageOwner>(), own_.data<float>(),
                                         elements * sizeof(float), /*foreign=*/true),
                            0, Shape{elements});
  }
  float* data() { return own_.data<float>(); }
  Tensor Chunk(int64_t begin, int64_t end) const { return foreign_.Rows(begin, end); }

 private:
  Tensor own_, foreign_;
};

TEST(ParameterReplicaTest, ASharedVersionIsUsedWhereItLies) {
  ParameterReplica replica(40, 16);
  SharedVersion first(40), second(40);
  for (int chunk : {1, 2, 0}) {
    const Tensor values = first.Chunk(replica.ChunkBegin(chunk), replica.ChunkEnd(chunk));
    ASSERT_TRUE(replica.ReceiveShared(0, chunk, values, 100 + chunk).ok());
  }
  EXPECT_EQ(replica.released(), 0u);
  const auto flat = replica.Adopt(0);
  ASSERT_TRUE(flat.ok()) << flat.status();
  EXPECT_EQ(std::as_const(*flat).data<float>(), first.data());
  EXPECT_EQ(flat->element_count(), 40);
  EXPECT_EQ(replica.released(), 101u) << "what came before its first chunk";
  ASSERT_TRUE(replica.ReceiveShared(1, 0, second.Chunk(0, 16), 200).ok());
  EXPECT_EQ(replica.released(), 101u) << "still in use";
}

TEST(ParameterReplicaTest, SharedChunksMustLieAsOneVersion) {
  ParameterReplica replica(40, 16);
  SharedVersion version(40), other(40), shorter(32);
  EXPECT_TRUE(absl::IsInvalidArgument(replica.ReceiveShared(0, 0, version.Chunk(16, 32), 0)));
  EXPECT_TRUE(absl::IsInvalidArgument(replica.ReceiveShared(0, 0, version.Chunk(0, 15), 0)));
  EXPECT_TRUE(absl::IsInvalidArgument(replica.ReceiveShared(0, 3, version.Chunk(32, 40), 0)));
  EXPECT_TRUE(absl::IsInvalidArgument(replica.ReceiveShared(0, 0, shorter.Chunk(0, 16), 0)));
  ASSERT_TRUE(replica.ReceiveShared(0, 0, version.Chunk(0, 16), 0).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(replica.ReceiveShared(0, 1, other.Chunk(16, 32), 0)));
  const auto nothing = [](float*) { FAIL() << "must not write to shared memory"; };
  EXPECT_TRUE(absl::IsInvalidArgument(replica.Receive(0, 1, 64, nothing)));
}

}  // namespace
}  // namespace lockstep::worker
