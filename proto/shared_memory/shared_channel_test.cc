#include "proto/shared_memory/shared_channel.h"

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

class SharedChannelTest : public ::testing::Test {
 protected:
  SharedChannelTest() {
    one_ = *SharedChannel::Create();
    other_ = *SharedChannel::Create();
    EXPECT_TRUE(one_->Attach(other_->place()).ok());
    EXPECT_TRUE(other_->Attach(one_->place()).ok());
  }

  // The next message of `channel`; empty: there is none.
  static std::string Read(SharedChannel& channel) {
    std::string message;
    const auto there = channel.TryRead(&message);
    EXPECT_TRUE(there.ok()) << there.status();
    return there.ok() && *there ? message : "";
  }

  std::unique_ptr<SharedChannel> one_, other_;
};

TEST_F(SharedChannelTest, MessagesComeInOrderBothWays) {
  EXPECT_EQ(one_->peer_token(), other_->token());
  EXPECT_TRUE(one_->TryWrite("first", false));
  EXPECT_TRUE(one_->TryWrite("", false));
  EXPECT_TRUE(one_->TryWrite("third", false));
  EXPECT_TRUE(other_->TryWrite("back", false));
  EXPECT_EQ(Read(*other_), "first");
  EXPECT_EQ(Read(*other_), "");
  EXPECT_EQ(Read(*other_), "third");
  EXPECT_EQ(other_->read(), one_->written());
  EXPECT_EQ(Read(*one_), "back");
  std::string message;
  EXPECT_FALSE(*one_->TryRead(&message));
}

TEST_F(SharedChannelTest, PartsBecomeOneMessage) {
  EXPECT_TRUE(one_->TryWrite("a whole ", true));
  std::string message;
  EXPECT_FALSE(*other_->TryRead(&message));
  EXPECT_TRUE(one_->TryWrite("message", false));
  EXPECT_EQ(Read(*other_), "a whole message");
}

TEST_F(SharedChannelTest, AFullRingTakesNothingUntilItIsRead) {
  const std::string bytes(100000, 'x');
  int written = 0;
  while (one_->TryWrite(bytes, false)) ++written;
  EXPECT_EQ(written, 10);  // 1 MiB
  EXPECT_FALSE(one_->TryWrite(bytes, false));
  EXPECT_EQ(Read(*other_).size(), bytes.size());
  EXPECT_TRUE(one_->TryWrite(bytes, false));
  EXPECT_FALSE(one_->TryWrite(bytes, false));
}

TEST_F(SharedChannelTest, ManyMessagesRoundTheRing) {
  constexpr int kMessages = 20000;
  const auto text = [](int i) { return std::string(i * 7919 % 1000, 'a' + i % 26); };
  std::thread writer([&] {
    for (int i = 0; i < kMessages; ++i) {
      while (!one_->TryWrite(text(i), false)) std::this_thread::yield();
    }
  });
  for (int i = 0; i < kMessages;) {
    std::string message;
    const auto there = other_->TryRead(&message);
    ASSERT_TRUE(there.ok()) << there.status();
    if (!*there) {
      other_->Wait(absl::Seconds(10));
      continue;
    }
    ASSERT_EQ(message, text(i)) << i;
    ++i;
  }
  writer.join();
}

// Each waits for the other's answer, thousands of times: a lost wake-up would
// take the whole timeout.
TEST_F(SharedChannelTest, WaitsAreWoken) {
  constexpr int kTurns = 3000;
  const auto answer = [](SharedChannel& channel) {
    std::string message;
    while (true) {
      const auto there = channel.TryRead(&message);
      if (there.ok() && *there) break;
      channel.Wait(absl::Minutes(5));
    }
    EXPECT_TRUE(channel.TryWrite(message, false));
  };
  std::thread echo([&] {
    for (int i = 0; i < kTurns; ++i) answer(*other_);
  });
  EXPECT_TRUE(one_->TryWrite("ball", false));
  for (int i = 1; i < kTurns; ++i) answer(*one_);
  echo.join();
  EXPECT_EQ(one_->written(), other_->written());
}

TEST_F(SharedChannelTest, InterruptEndsAWait) {
  std::thread waiting([this] { one_->Wait(absl::Minutes(5)); });
  one_->Interrupt();
  waiting.join();
  EXPECT_TRUE(one_->interrupted());
  one_->Wait(absl::Minutes(5));
}

TEST_F(SharedChannelTest, ReleasesAreSeen) {
  EXPECT_EQ(one_->released_by_peer(), 0u);
  other_->Release(24);
  EXPECT_EQ(one_->released_by_peer(), 24u);
}

TEST_F(SharedChannelTest, APeerOfAnotherSizeIsRefused) {
  SharedRegionPlace place = other_->place();
  place.size_bytes -= 8;
  EXPECT_EQ((*SharedChannel::Create())->Attach(place).code(), absl::StatusCode::kInvalidArgument);
}

// A peer that writes whatever it likes into its region, of a channel's size.
class HostileChannelTest : public ::testing::Test {
 protected:
  HostileChannelTest() {
    channel_ = *SharedChannel::Create();
    region_ = *SharedRegion::Create(channel_->place().size_bytes);
    EXPECT_TRUE(channel_->Attach(region_->place()).ok());
  }

  void Claim(uint64_t written, uint32_t record_size) {
    std::memcpy(region_->data() + 4096, &record_size, sizeof(record_size));
    std::memcpy(region_->data(), &written, sizeof(written));
  }
  void ExpectRefused() {
    std::string message;
    EXPECT_EQ(channel_->TryRead(&message).status().code(), absl::StatusCode::kInvalidArgument);
  }

  std::unique_ptr<SharedChannel> channel_;
  std::shared_ptr<SharedRegion> region_;
};

TEST_F(HostileChannelTest, MoreThanTheRingHolds) {
  Claim((1 << 20) + 8, 8);
  ExpectRefused();
}

TEST_F(HostileChannelTest, LessThanARecord) {
  Claim(4, 0);
  ExpectRefused();
}

TEST_F(HostileChannelTest, ARecordLongerThanWhatIsThere) {
  Claim(64, 1000);
  ExpectRefused();
  Claim(64, 0xffffffff);
  ExpectRefused();
}

TEST_F(HostileChannelTest, PositionsThatRunBackwardsOnlyStopTheWriting) {
  const uint64_t read = ~uint64_t{0} - 1000;
  std::memcpy(region_->data() + 64, &read, sizeof(read));  // as a reader
  int written = 0;
  while (channel_->TryWrite("x", false) && written < 200000) ++written;
  EXPECT_LT(written, 200000);
}

}  // namespace
}  // namespace lockstep
