#include "proto/shared_memory/shared_channel.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep {
namespace {

constexpr uint64_t kRingBytes = 1 << 20;
constexpr uint64_t kRingBegin = 4096;  // within the region's bytes
constexpr uint64_t kRecordHeaderBytes = 8;
// A message may be a job with its model, seldom a tensor.
constexpr size_t kMostMessageBytes = 64 << 20;

// Waits up to this long are worth a spin: being woken costs about half of it.
constexpr absl::Duration kSpin = absl::Microseconds(100);

uint64_t Padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }

// The word may lie in memory that this process cannot write.
int Futex(const std::atomic<uint32_t>* word, int operation, uint32_t value,
          const struct timespec* timeout) {
  return static_cast<int>(syscall(SYS_futex, word, operation, value, timeout, nullptr, 0));
}

absl::Time Now() {
  return absl::FromChrono(std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::steady_clock::now().time_since_epoch())));
}

}  // namespace

// What one side tells the other, at the beginning of its region. Each field is
// on a cache line with those that change with it.
struct SharedChannel::Control {
  // As a writer: bytes written, and a number that changes with them, which a
  // sleeping reader waits on.
  alignas(64) std::atomic<uint64_t> written;
  std::atomic<uint32_t> signal;
  // As a reader.
  alignas(64) std::atomic<uint64_t> read;
  std::atomic<uint64_t> released;
  std::atomic<uint32_t> sleeping;
};

static_assert(std::atomic<uint64_t>::is_always_lock_free, "locks would be each process's own");

absl::StatusOr<std::unique_ptr<SharedChannel>> SharedChannel::Create() {
  static_assert(sizeof(Control) <= kRingBegin, "the ring begins behind it");
  auto region = SharedRegion::Create(kRingBegin + kRingBytes);
  if (!region.ok()) return region.status();
  return std::unique_ptr<SharedChannel>(new SharedChannel(*std::move(region)));
}

SharedChannel::SharedChannel(std::shared_ptr<SharedRegion> own) : own_(std::move(own)) {}

absl::Status SharedChannel::Attach(const SharedRegionPlace& place) {
  if (place.size_bytes != kRingBegin + kRingBytes) {
    return absl::InvalidArgumentError(absl::StrCat("shared memory: got a channel of ",
                                                   place.size_bytes, " bytes, want ",
                                                   kRingBegin + kRingBytes));
  }
  auto region = SharedRegion::Open(place);
  if (!region.ok()) return region.status();
  peer_ = *std::move(region);
  return absl::OkStatus();
}

// The region is zeros at first, which is what these atomics are at first.
SharedChannel::Control& SharedChannel::own_control() const {
  return *reinterpret_cast<Control*>(own_->data());
}
const SharedChannel::Control& SharedChannel::peer_control() const {
  return *reinterpret_cast<const Control*>(peer_->data());
}

// ---- writing

bool SharedChannel::TryWrite(absl::string_view bytes, bool more) {
  const uint64_t size = kRecordHeaderBytes + Padded(bytes.size());
  // A peer that claims to have read more than was written is dead or hostile;
  // what follows is then lost, and nothing else.
  const uint64_t unread =
      std::min(written_ - peer_control().read.load(std::memory_order_acquire), kRingBytes);
  if (size > kRingBytes - unread) return false;
  const uint32_t header[2] = {static_cast<uint32_t>(bytes.size()), more ? 1u : 0u};
  CopyIn(written_, reinterpret_cast<const char*>(header), sizeof(header));
  CopyIn(written_ + kRecordHeaderBytes, bytes.data(), bytes.size());
  written_ += size;
  Control& own = own_control();
  own.written.store(written_, std::memory_order_release);
  // Sequentially consistent, as the reader's `sleeping`: either it sees the new
  // signal and does not sleep, or this sees that it may.
  own.signal.fetch_add(1);
  if (peer_control().sleeping.load() != 0) Futex(&own.signal, FUTEX_WAKE, INT_MAX, nullptr);
  return true;
}

uint64_t SharedChannel::read_by_peer() const {
  return peer_control().read.load(std::memory_order_acquire);
}

uint64_t SharedChannel::released_by_peer() const {
  return peer_control().released.load(std::memory_order_acquire);
}

void SharedChannel::CopyIn(uint64_t position, const char* from, size_t size) {
  char* const ring = own_->data() + kRingBegin;
  const uint64_t at = position % kRingBytes;
  const size_t first = std::min<uint64_t>(size, kRingBytes - at);
  std::memcpy(ring + at, from, first);
  std::memcpy(ring, from + first, size - first);
}

// ---- reading

void SharedChannel::CopyOut(uint64_t position, char* to, size_t size) const {
  const char* const ring = peer_->data() + kRingBegin;
  const uint64_t at = position % kRingBytes;
  const size_t first = std::min<uint64_t>(size, kRingBytes - at);
  std::memcpy(to, ring + at, first);
  std::memcpy(to + first, ring, size - first);
}

bool SharedChannel::Readable() const {
  return peer_control().written.load(std::memory_order_acquire) != read_;
}

absl::StatusOr<bool> SharedChannel::TryRead(std::string* message) {
  while (Readable()) {
    const uint64_t unread = peer_control().written.load(std::memory_order_acquire) - read_;
    uint32_t header[2] = {};
    if (unread < kRecordHeaderBytes || unread > kRingBytes) {
      return absl::InvalidArgumentError(absl::StrCat("shared memory: got a ring with ", unread,
                                                     " bytes unread, want 8 to ", kRingBytes));
    }
    CopyOut(read_, reinterpret_cast<char*>(header), sizeof(header));
    const uint64_t size = header[0];
    if (kRecordHeaderBytes + Padded(size) > unread || parts_.size() + size > kMostMessageBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("shared memory: got a record of ", size, " bytes, want no more than there ",
                       "are, and messages of at most ", kMostMessageBytes));
    }
    const size_t before = parts_.size();
    parts_.resize(before + size);
    CopyOut(read_ + kRecordHeaderBytes, parts_.data() + before, size);
    read_ += kRecordHeaderBytes + Padded(size);
    own_control().read.store(read_, std::memory_order_release);
    if (header[1] != 0) continue;
    message->swap(parts_);
    parts_.clear();
    return true;
  }
  return false;
}

void SharedChannel::Release(uint64_t position) {
  own_control().released.store(position, std::memory_order_release);
}

void SharedChannel::Wait(absl::Duration timeout) {
  if (Readable() || interrupted()) return;
  if (spin_policy_.NextSpins()) {
    const bool found = Spin();
    spin_policy_.SpinEnded(found);
    if (found) return;
  }
  Sleep(timeout);
}

bool SharedChannel::Spin() const {
  const absl::Time end = Now() + kSpin;
  while (!Readable() && !interrupted()) {
    if (Now() >= end) return false;
    std::this_thread::yield();
  }
  return true;
}

void SharedChannel::Sleep(absl::Duration timeout) {
  const struct timespec limit = absl::ToTimespec(timeout);
  own_control().sleeping.store(1);
  const std::atomic<uint32_t>& signal = peer_control().signal;
  const uint32_t seen = signal.load();
  // Sequentially consistent, as in Interrupt.
  sleeping_.store(true);
  if (!Readable() && !interrupted_.load()) Futex(&signal, FUTEX_WAIT, seen, &limit);
  sleeping_.store(false);
  own_control().sleeping.store(0);
}

void SharedChannel::Interrupt() {
  interrupted_.store(true);
  // Again and again: it may be just about to sleep.
  while (sleeping_.load()) {
    Futex(&peer_control().signal, FUTEX_WAKE, INT_MAX, nullptr);
    std::this_thread::yield();
  }
}

}  // namespace lockstep
