#include "proto/shared_memory/shared_blocks.h"

#include <memory>
#include <utility>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

const float* Data(const Tensor& tensor) { return tensor.data<float>(); }

TEST(SharedBlocksTest, ABlockComesBackWhenItsLastTensorGoes) {
  SharedBlocks blocks(100);
  Tensor first = blocks.Take();
  const float* const place = Data(first);
  Tensor part = first.Rows(10, 20);
  first = Tensor();
  EXPECT_NE(Data(blocks.Take()), place) << "a part of it is still in use";
  part = Tensor();
  EXPECT_EQ(Data(blocks.Take()), place);
}

TEST(SharedBlocksTest, TensorsOutliveThePool) {
  auto blocks = std::make_unique<SharedBlocks>(10);
  Tensor values = blocks->Take();
  blocks = nullptr;
  values.data<float>()[9] = 1;
  EXPECT_EQ(Data(values)[9], 1);
}

TEST(SharedBlocksTest, APeerSeesTheSameElements) {
  SharedBlocks blocks(1000);
  Tensor values = blocks.Take();
  for (int i = 0; i < 1000; ++i) values.data<float>()[i] = static_cast<float>(i);
  const auto place = SharedPlaceOf(values.Rows(500, 600));
  ASSERT_TRUE(place.has_value());
  PeerRegions regions;
  const auto view = regions.View(place->region->place(), place->region->token(),
                                 place->offset_bytes, 100 * sizeof(float));
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE(view->storage()->foreign());
  EXPECT_EQ(view->element_count(), 100);
  EXPECT_NE(Data(*view), Data(values) + 500) << "another mapping";
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Data(*view)[i], 500 + i);
  values.data<float>()[500] = -1;
  EXPECT_EQ(Data(*view)[0], -1);
}

TEST(SharedBlocksTest, OrdinaryTensorsHaveNoPlace) {
  EXPECT_FALSE(SharedPlaceOf(Tensor::Zeros(Shape{4})).has_value());
}

TEST(SharedBlocksTest, RefusesWhatLiesOutsideOrIsAnotherRegion) {
  SharedBlocks blocks(16);
  const Tensor values = blocks.Take();
  const auto place = SharedPlaceOf(values);
  ASSERT_TRUE(place.has_value());
  const SharedRegionPlace where = place->region->place();
  const std::string& token = place->region->token();
  PeerRegions regions;
  EXPECT_TRUE(regions.View(where, token, 0, 64).ok());
  for (const auto& [offset, size] : {std::pair<uint64_t, uint64_t>{4, 64},
                                     {68, 0},
                                     {0, 68},
                                     {2, 4},
                                     {0, 6},
                                     {~uint64_t{3}, 8}}) {
    EXPECT_EQ(regions.View(where, token, offset, size).status().code(),
              absl::StatusCode::kInvalidArgument)
        << offset << " " << size;
  }
  EXPECT_EQ(regions.View(where, std::string(16, 'x'), 0, 64).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace lockstep
