// Messages between two processes of one machine without the kernel's help, as
// long as both are busy: each has a ring in a region of its own, which it
// writes and the other reads.
//
// Deliberately knows nothing of what the messages say, and of how the two find
// each other. A peer that dies or writes nonsense can end the channel, not
// this process: positions and sizes are checked, bytes copied before they are
// looked at.
//
// A ring is a sequence of records, each at a multiple of 8 bytes: size
// (uint32), whether the message goes on in the next record (uint32), the bytes.
// A position is the number of bytes of the ring before it since its beginning.
#ifndef LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_CHANNEL_H_
#define LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_CHANNEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/shared_memory/shared_region.h"
#include "proto/shared_memory/spin_policy.h"

namespace lockstep {

// Threads: one writes, one reads, and any may interrupt.
class SharedChannel {
 public:
  // With a ring of its own; it takes no part in anything before Attach.
  // Errors: as SharedRegion::Create.
  static absl::StatusOr<std::unique_ptr<SharedChannel>> Create();

  // This side's region, for the peer to attach to.
  SharedRegionPlace place() const { return own_->place(); }
  const std::string& token() const { return own_->token(); }

  // Opens the peer's region. Once, before anything below.
  // Errors: as SharedRegion::Open.
  absl::Status Attach(const SharedRegionPlace& place);
  const std::string& peer_token() const { return peer_->token(); }

  // ---- writing

  // Appends a message, or a part of one (`more`: others follow); false: there
  // is no room now. Never waits. Requires: at most kMostRecordBytes.
  bool TryWrite(absl::string_view bytes, bool more);
  static constexpr size_t kMostRecordBytes = 256 << 10;
  // Behind the last record written.
  uint64_t written() const { return written_; }
  // Up to which the peer has read.
  uint64_t read_by_peer() const;
  // Up to which the peer has released what messages refer to.
  uint64_t released_by_peer() const;

  // ---- reading

  // Takes the next message, if there is a whole one. Errors: InvalidArgument:
  // the peer's ring is nonsense; read no more.
  absl::StatusOr<bool> TryRead(std::string* message);
  // Behind the last record read: of the message that TryRead gave.
  uint64_t read() const { return read_; }
  // What messages before this position refer to is not needed any more.
  void Release(uint64_t position);
  // Returns when there is something to read, after Interrupt, or after about
  // `timeout`. Spins a little before it sleeps where that has been of use.
  void Wait(absl::Duration timeout);

  // Ends the present and all further waits. Threads: any.
  void Interrupt();
  bool interrupted() const { return interrupted_.load(std::memory_order_acquire); }

 private:
  struct Control;

  explicit SharedChannel(std::shared_ptr<SharedRegion> own);
  Control& own_control() const;
  const Control& peer_control() const;
  bool Readable() const;
  // Whether it found something to do.
  bool Spin() const;
  void Sleep(absl::Duration timeout);
  void CopyOut(uint64_t position, char* to, size_t size) const;
  void CopyIn(uint64_t position, const char* from, size_t size);

  const std::shared_ptr<SharedRegion> own_;
  std::shared_ptr<SharedRegion> peer_;
  uint64_t written_ = 0;
  uint64_t read_ = 0;
  std::string parts_;  // of a message that goes on
  SpinPolicy spin_policy_;
  std::atomic<bool> interrupted_{false};
  std::atomic<bool> sleeping_{false};
};

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_CHANNEL_H_
