#include "engine/block_pool.h"

#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

TEST(BlockPoolTest, GivesAFreedBlockToTheNextOfItsSize) {
  void* const block = TakeBlock(200);
  GiveBlock(block, 200);
  EXPECT_EQ(TakeBlock(193), block);  // the same class of 256 bytes
  GiveBlock(block, 193);
}

TEST(BlockPoolTest, BlocksAreAlignedAndApart) {
  std::vector<void*> blocks;
  for (std::size_t size = 0; size <= 2 * kLargestThreadBlock; size += 37) {
    blocks.push_back(TakeBlock(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % 16, 0u);
    std::memset(blocks.back(), static_cast<int>(blocks.size()), size);
  }
  std::size_t size = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i, size += 37) {
    const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
    for (std::size_t b = 0; b < size; ++b) ASSERT_EQ(bytes[b], static_cast<unsigned char>(i + 1));
    GiveBlock(blocks[i], size);
  }
}

TEST(BlockPoolTest, AnotherThreadMayGiveBack) {
  auto shared = std::allocate_shared<std::vector<int>>(PoolAllocator<std::vector<int>>(), 3, 7);
  std::thread([moved = std::move(shared)]() mutable { moved.reset(); }).join();
}

}  // namespace
}  // namespace lockstep
