#include "proto/shared_memory/shared_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

TEST(SharedRegionTest, WhatOneMappingWritesTheOtherReads) {
  const auto own = SharedRegion::Create(10000);
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*own)->data()) % 4096, 0u);
  const auto seen = SharedRegion::Open((*own)->place());
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ((*seen)->token(), (*own)->token());
  EXPECT_EQ((*seen)->size_bytes(), 10000u);
  std::memcpy((*own)->data() + 9990, "the end", 8);
  EXPECT_STREQ((*seen)->data() + 9990, "the end");
}

TEST(SharedRegionTest, EachHasATokenOfItsOwn) {
  const auto one = SharedRegion::Create(1), other = SharedRegion::Create(1);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ((*one)->token().size(), 16u);
  EXPECT_NE((*one)->token(), (*other)->token());
}

TEST(SharedRegionTest, TheOtherSideCannotWriteOrResize) {
  const auto own = SharedRegion::Create(4096);
  ASSERT_TRUE(own.ok());
  const auto seen = SharedRegion::Open((*own)->place());
  ASSERT_TRUE(seen.ok());
  EXPECT_EXIT((*seen)->data()[0] = 1, ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_NE(ftruncate(static_cast<int>((*own)->place().descriptor), 0), 0);
}

TEST(SharedRegionTest, StaysWhenItsOwnerIsKilled) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto own = SharedRegion::Create(100);
    std::memcpy((*own)->data(), "left", 5);
    const SharedRegionPlace place = (*own)->place();
    if (write(report[1], &place, sizeof(place)) < 0) _exit(1);
    pause();
    _exit(0);
  }
  SharedRegionPlace place;
  ASSERT_EQ(read(report[0], &place, sizeof(place)), static_cast<ssize_t>(sizeof(place)));
  EXPECT_EQ(place.pid, static_cast<uint32_t>(child));
  const auto seen = SharedRegion::Open(place);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(report[0]);
  close(report[1]);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_STREQ((*seen)->data(), "left");
  EXPECT_EQ(SharedRegion::Open(place).status().code(), absl::StatusCode::kNotFound)
      << "nothing is left of it once nobody has it";
}

TEST(SharedRegionTest, OpensNothingElse) {
  const auto own = SharedRegion::Create(4096);
  ASSERT_TRUE(own.ok());
  SharedRegionPlace place = (*own)->place();
  place.size_bytes = 8192;
  EXPECT_EQ(SharedRegion::Open(place).status().code(), absl::StatusCode::kInvalidArgument);
  place.size_bytes = ~uint64_t{0};
  EXPECT_EQ(SharedRegion::Open(place).status().code(), absl::StatusCode::kInvalidArgument);
  place = (*own)->place();
  place.descriptor = 1;  // whatever it is, no region
  EXPECT_EQ(SharedRegion::Open(place).status().code(), absl::StatusCode::kNotFound);
  place.pid = 0;
  EXPECT_EQ(SharedRegion::Open(place).status().code(), absl::StatusCode::kNotFound);

  // A memfd of that name, but without the seal that keeps it whole.
  const int unsealed = memfd_create("lockstep", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ASSERT_GE(unsealed, 0);
  ASSERT_EQ(ftruncate(unsealed, 8192), 0);
  place = {static_cast<uint32_t>(getpid()), static_cast<uint32_t>(unsealed), 4096};
  EXPECT_EQ(SharedRegion::Open(place).status().code(), absl::StatusCode::kInvalidArgument);
  // Sealed, but without a region's header.
  ASSERT_EQ(fcntl(unsealed, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_EQ(SharedRegion::Open(place).status().code(), absl::StatusCode::kInvalidArgument);
  close(unsealed);
}

TEST(SharedRegionTest, MoreThanThereIsIsAnError) {
  EXPECT_EQ(SharedRegion::Create(uint64_t{1} << 60).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace lockstep
