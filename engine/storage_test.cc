#include "engine/storage.h"

#include <cstring>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

TEST(StorageTest, BlocksOfEverySizeAreAlignedAndWritable) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{257}, size_t{320},
                      size_t{513}, size_t{100000}, size_t{3} << 20}) {
    const std::shared_ptr<Storage> storage = Storage::Allocate(size);
    EXPECT_EQ(storage->size_bytes(), size);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(storage->data()) % kStorageAlignment, 0u);
    std::memset(storage->data(), 1, size);
  }
}

TEST(StorageTest, AFreedBlockIsUsedAgainForTheSameSize) {
  for (size_t size = 1; size < 5000; size += 7) {
    const void* first = Storage::Allocate(size)->data();
    EXPECT_EQ(Storage::Allocate(size)->data(), first) << size;
  }
}

TEST(StorageTest, LivingBlocksDoNotShareMemory) {
  ReleaseStorageCache();
  const std::shared_ptr<Storage> a = Storage::Allocate(100);
  const std::shared_ptr<Storage> b = Storage::Allocate(100);
  EXPECT_NE(a->data(), b->data());
}

TEST(StorageTest, ThreadsMayAllocateAndReleaseAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 1000; ++i) {
        const size_t size = 1 + (i * 37 + t) % 2000;
        const std::shared_ptr<Storage> storage = Storage::Allocate(size);
        std::memset(storage->data(), t, size);
        EXPECT_EQ(static_cast<unsigned char*>(storage->data())[size - 1], t);
        if (i % 100 == 0) ReleaseStorageCache();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(StorageDeathTest, MoreThanMemoryIsAnExplainedAbort) {
  EXPECT_DEATH(Storage::Allocate(~size_t{0}), "cannot allocate 18446744073709551615 bytes");
}

}  // namespace
}  // namespace lockstep
