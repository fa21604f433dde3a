#include "server/storage/lazy_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/storage/small_disk.h"
#include "server/storage/temporary_folder.h"

namespace lockstep::server {
namespace {

constexpr int64_t kPieceElements = 4096;
constexpr int64_t kElements = 3 * kPieceElements + 100;

Tensor Counting(float first) {
  Tensor tensor = Tensor::Empty(Shape{kElements});
  for (int64_t i = 0; i < kElements; ++i) tensor.data<float>()[i] = first + static_cast<float>(i);
  return tensor;
}

bool IsCounting(const Tensor& tensor, float first) {
  const float* const values = tensor.data<float>();
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (values[i] != first + static_cast<float>(i)) return false;
  }
  return tensor.element_count() == kElements;
}

void Fill(Tensor& tensor, int piece) {
  const int64_t begin = piece * kPieceElements;
  std::fill(tensor.data<float>() + begin,
            tensor.data<float>() + std::min(begin + kPieceElements, kElements), -1.0f);
}

TEST(LazyCopyTest, HoldsWhatWasThereHoweverPiecesAreChanged) {
  const TemporaryFolder folder;
  Tensor fixed = Counting(1), first = Counting(2), second = Counting(3);
  auto copy = LazyCopy::Begin(folder.path(), {fixed}, {first, second}, kPieceElements);
  ASSERT_TRUE(copy.ok()) << copy.status();
  for (const int piece : {2, 0}) {  // a step that has come so far
    (*copy)->CopyPiece(piece);
    Fill(first, piece);
    Fill(second, piece);
  }
  (*copy)->Finish();
  for (int piece = 0; piece < 4; ++piece) {
    (*copy)->CopyPiece(piece);  // changes nothing any more
    Fill(first, piece);
    Fill(second, piece);
  }
  EXPECT_TRUE(IsCounting((*copy)->fixed()[0], 1));
  EXPECT_TRUE(IsCounting((*copy)->changing()[0], 2));
  EXPECT_TRUE(IsCounting((*copy)->changing()[1], 3));
}

TEST(LazyCopyTest, CopiesOutliveItAndFixedVectorsAreLetGoOf) {
  const TemporaryFolder folder;
  Tensor fixed = Counting(1);
  const std::weak_ptr<Storage> memory = fixed.storage();
  auto copy = LazyCopy::Begin(folder.path(), {std::move(fixed)}, {}, kPieceElements);
  ASSERT_TRUE(copy.ok()) << copy.status();
  fixed = Tensor();
  EXPECT_FALSE(memory.expired());
  (*copy)->Finish();
  EXPECT_TRUE(memory.expired());
  const Tensor copied = (*copy)->fixed()[0];
  copy->reset();
  EXPECT_TRUE(IsCounting(copied, 1));
  // Nobody but the process knows the file.
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(LazyCopyTest, AStepAndTheBackgroundCopyEachPieceOnce) {
  const TemporaryFolder folder;
  Tensor changing = Counting(5);
  auto copy = LazyCopy::Begin(folder.path(), {}, {changing}, kPieceElements);
  ASSERT_TRUE(copy.ok()) << copy.status();
  std::thread background([&] { (*copy)->Finish(); });
  for (int piece = 3; piece >= 0; --piece) {
    (*copy)->CopyPiece(piece);
    Fill(changing, piece);
  }
  background.join();
  EXPECT_TRUE(IsCounting((*copy)->changing()[0], 5));
}

TEST(LazyCopyTest, WhatAFullDiskDoesNotTakeStaysInMemory) {
  bool can_mount = false;
  const TemporaryFolder folder;
  std::thread([&] {
    can_mount = MountSmallDisk(folder.path(), "512k");
    if (!can_mount) return;
    Tensor fixed = Counting(1), changing = Counting(2);
    auto copy = LazyCopy::Begin(folder.path(), {fixed}, {changing}, kPieceElements);
    // Room for three when it begins, but not any more afterwards.
    EXPECT_TRUE(copy.ok()) << copy.status();
    WriteTestFile(folder.path() + "/other", std::string(512 << 10, 'x'));
    if (copy.ok()) {
      (*copy)->Finish();
      EXPECT_TRUE(IsCounting((*copy)->fixed()[0], 1));
      EXPECT_TRUE(IsCounting((*copy)->changing()[0], 2));
      copy->reset();
    }
    UnmountDisk(folder.path());
  }).join();
  if (!can_mount) GTEST_SKIP() << "mounting a small disk needs the rights of root";
}

TEST(LazyCopyTest, AFolderThatIsNotThereAndOneThatIsTooSmallAreNamed) {
  auto copy = LazyCopy::Begin("/nowhere", {}, {Counting(1)}, kPieceElements);
  EXPECT_EQ(copy.status(),
            absl::UnavailableError("/nowhere: no file for a copy of the state: No such file or "
                                   "directory"));
  bool can_mount = false;
  const TemporaryFolder folder;
  std::thread([&] {
    can_mount = MountSmallDisk(folder.path(), "128k");
    if (!can_mount) return;
    copy = LazyCopy::Begin(folder.path(), {}, {Counting(1)}, kPieceElements);
    UnmountDisk(folder.path());
  }).join();
  if (!can_mount) return;
  EXPECT_EQ(copy.status(),
            absl::UnavailableError(folder.path() + ": no file for a copy of the state: too little "
                                                   "room"));
}

}  // namespace
}  // namespace lockstep::server
