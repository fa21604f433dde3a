// The messages of WorkerService over a SharedChannel: tensors stay where they
// are, and the message says where that is.
//
// One class for both ends: the worker sends WorkerMessages and receives
// ServerMessages, the server the other way round.
#ifndef LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_MESSAGES_H_
#define LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_MESSAGES_H_

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "engine/tensor.h"
#include "lockstep/v1/worker_service.pb.h"
#include "proto/shared_memory/shared_blocks.h"
#include "proto/shared_memory/shared_channel.h"

namespace lockstep {

// Threads: Send and Flush any; Next and Release one, the reading one.
template <typename Out, typename In>
class SharedMessages {
 public:
  struct Received {
    In message;
    Tensor values;       // undefined: no payload; foreign where it is shared
    uint64_t begin = 0;  // position of the channel before the message
  };

  // Errors: as SharedChannel::Create.
  static absl::StatusOr<std::shared_ptr<SharedMessages>> Create() {
    auto channel = SharedChannel::Create();
    if (!channel.ok()) return channel.status();
    return std::shared_ptr<SharedMessages>(new SharedMessages(*std::move(channel)));
  }

  // This side's place, for the peer; without peer_token.
  v1::SharedMemoryOffer Offer() const {
    const SharedRegionPlace place = channel_->place();
    v1::SharedMemoryOffer offer;
    offer.set_boot_id(BootId());
    offer.set_pid(place.pid);
    offer.set_file_descriptor(place.descriptor);
    offer.set_region_bytes(place.size_bytes);
    return offer;
  }
  // Once, before all below. Errors: as SharedChannel::Attach; NotFound also for
  // a peer of another machine.
  absl::Status Attach(const v1::SharedMemoryOffer& peer) {
    if (peer.boot_id().empty() || peer.boot_id() != BootId()) {
      return absl::NotFoundError("shared memory: the peer is on another machine");
    }
    peer_pid_ = peer.pid();
    return channel_->Attach({peer.pid(), peer.file_descriptor(), peer.region_bytes()});
  }
  const std::string& token() const { return channel_->token(); }
  const std::string& peer_token() const { return channel_->peer_token(); }

  // Writes the message, or queues it where the ring is full.
  void Send(const Out& message) { Queue(message.SerializeAsString(), Tensor()); }
  // `values` (float32) must not change until the peer has released them. They
  // are kept until then.
  void Send(Out message, const Tensor& values) {
    const size_t size_bytes = values.element_count() * sizeof(float);
    const std::optional<SharedPlace> place = SharedPlaceOf(values);
    if (!place.has_value()) {
      message.set_payload(values.data<float>(), size_bytes);
      Queue(message.SerializeAsString(), Tensor());
      return;
    }
    v1::SharedPayload& payload = *message.mutable_shared_payload();
    payload.set_file_descriptor(place->region->place().descriptor);
    payload.set_region_bytes(place->region->size_bytes());
    payload.set_token(place->region->token());
    payload.set_offset_bytes(place->offset_bytes);
    payload.set_size_bytes(size_bytes);
    Queue(message.SerializeAsString(), values);
  }
  // Writes what is queued, as far as there is room, and lets go of tensors that
  // the peer has released. Returns whether nothing is queued any more.
  bool Flush() {
    absl::MutexLock lock(&mutex_);
    WriteQueued();
    return queue_.empty();
  }
  // Lets go of tensors that the peer has released.
  void ForgetReleased() {
    absl::MutexLock lock(&mutex_);
    DropReleased();
  }
  // Bytes that wait for room in the ring.
  size_t queued_bytes() const {
    absl::MutexLock lock(&mutex_);
    return queued_bytes_;
  }
  // These, and of the values whose message the peer has not read.
  size_t unsent_bytes() {
    absl::MutexLock lock(&mutex_);
    ForgetRead();
    return queued_bytes_ + unread_bytes_;
  }

  // The next message, if there is one. Errors: InvalidArgument: it is nonsense.
  absl::StatusOr<std::optional<Received>> Next() {
    const uint64_t begin = channel_->read();
    const auto there = channel_->TryRead(&bytes_);
    if (!there.ok()) return there.status();
    if (!*there) return std::optional<Received>();
    std::optional<Received> received = Received();
    received->begin = begin;
    In& message = received->message;
    if (!message.ParseFromString(bytes_)) {
      return absl::InvalidArgumentError("shared memory: got bytes that are not a " +
                                        message.GetTypeName());
    }
    auto values = ValuesOf(message);
    if (!values.ok()) return values.status();
    received->values = *std::move(values);
    return received;
  }
  // Everything that messages before this position refer to is released.
  void Release(uint64_t position) { channel_->Release(position); }
  // Everything received so far.
  void ReleaseRead() { Release(channel_->read()); }
  // The same, and unmaps regions that no tensor uses any more.
  void ReleaseAll() {
    regions_.Clear();
    ReleaseRead();
  }
  void Wait(absl::Duration timeout) { channel_->Wait(timeout); }
  void Interrupt() { channel_->Interrupt(); }
  bool interrupted() const { return channel_->interrupted(); }

 private:
  struct Queued {
    std::string bytes;
    size_t done = 0;  // bytes of it written
    Tensor values;
  };
  struct Held {
    uint64_t end = 0;  // position behind the message that refers to them
    Tensor values;
  };
  struct Unread {
    uint64_t end = 0;
    size_t size_bytes = 0;
  };

  explicit SharedMessages(std::unique_ptr<SharedChannel> channel) : channel_(std::move(channel)) {}

  void Queue(std::string bytes, Tensor values) {
    absl::MutexLock lock(&mutex_);
    queued_bytes_ += bytes.size();
    queue_.push_back({std::move(bytes), 0, std::move(values)});
    WriteQueued();
  }

  void WriteQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!queue_.empty() && WriteFront()) queue_.pop_front();
    DropReleased();
    ForgetRead();
  }

  void DropReleased() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const uint64_t released = channel_->released_by_peer();
    while (!held_.empty() && held_.front().end <= released) held_.pop_front();
  }

  // False: there was no room for all of it.
  bool WriteFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Queued& front = queue_.front();
    do {
      const size_t size =
          std::min(SharedChannel::kMostRecordBytes, front.bytes.size() - front.done);
      const bool more = front.done + size < front.bytes.size();
      if (!channel_->TryWrite(absl::string_view(front.bytes).substr(front.done, size), more)) {
        return false;
      }
      front.done += size;
      queued_bytes_ -= size;
    } while (front.done < front.bytes.size());
    if (front.values.defined()) {
      const size_t size_bytes = front.values.element_count() * sizeof(float);
      unread_.push_back({channel_->written(), size_bytes});
      unread_bytes_ += size_bytes;
      held_.push_back({channel_->written(), std::move(front.values)});
    }
    return true;
  }

  void ForgetRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const uint64_t read = channel_->read_by_peer();
    while (!unread_.empty() && unread_.front().end <= read) {
      unread_bytes_ -= unread_.front().size_bytes;
      unread_.pop_front();
    }
  }

  absl::StatusOr<Tensor> ValuesOf(const In& message) {
    if (message.has_shared_payload()) {
      const v1::SharedPayload& payload = message.shared_payload();
      return regions_.View({peer_pid_, payload.file_descriptor(), payload.region_bytes()},
                           payload.token(), payload.offset_bytes(), payload.size_bytes());
    }
    const std::string& bytes = message.payload();
    if (bytes.empty()) return Tensor();
    if (bytes.size() % sizeof(float) != 0) {
      return absl::InvalidArgumentError("payload: want a multiple of 4 bytes");
    }
    Tensor values = Tensor::Empty(Shape{static_cast<int64_t>(bytes.size() / sizeof(float))});
    std::memcpy(values.data<float>(), bytes.data(), bytes.size());
    return values;
  }

  const std::unique_ptr<SharedChannel> channel_;
  uint32_t peer_pid_ = 0;
  // Of the reading thread.
  std::string bytes_;
  PeerRegions regions_;

  mutable absl::Mutex mutex_;
  std::deque<Queued> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Held> held_ ABSL_GUARDED_BY(mutex_);
  std::deque<Unread> unread_ ABSL_GUARDED_BY(mutex_);
  size_t unread_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

using WorkerSharedMessages = SharedMessages<v1::WorkerMessage, v1::ServerMessage>;
using ServerSharedMessages = SharedMessages<v1::ServerMessage, v1::WorkerMessage>;

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_SHARED_MEMORY_SHARED_MESSAGES_H_
