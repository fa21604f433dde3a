// Messages of WorkerService on the wire: plain protobuf, but tensor bytes are
// neither copied into a protobuf string when sent nor out of one when received.
//
// A frame is the message's fields in order with `bytes payload = 15` last. The
// sender writes header and payload as separate slices of one ByteBuffer; the
// receiver parses the header and leaves the payload in gRPC's slices. To any
// other protobuf implementation it is an ordinary message.
#ifndef LOCKSTEP_PROTO_CODEC_FRAME_CODEC_H_
#define LOCKSTEP_PROTO_CODEC_FRAME_CODEC_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message_lite.h"

namespace lockstep {

// Number of the payload field in WorkerMessage and ServerMessage.
inline constexpr int kPayloadField = 15;

// Payload bytes of a received frame, as they lie in gRPC's slices.
class FramePayload {
 public:
  size_t size_bytes() const { return size_bytes_; }
  // Requires: `destination` has room for size_bytes().
  void CopyTo(void* destination) const;

 private:
  friend absl::Status DecodeFrame(const grpc::ByteBuffer& frame,
                                  google::protobuf::MessageLite* message, FramePayload* payload);
  std::vector<grpc::Slice> slices_;
  size_t first_offset_ = 0;  // of the payload within slices_[0]
  size_t size_bytes_ = 0;
};

// A frame without payload. Requires: message's payload field is empty.
grpc::ByteBuffer EncodeFrame(const google::protobuf::MessageLite& message);

// A frame whose payload is `size_bytes` at `data`, not copied: `owner` is kept
// until gRPC has sent them, and they must not change until then.
grpc::ByteBuffer EncodeFrame(const google::protobuf::MessageLite& message, const void* data,
                             size_t size_bytes, std::shared_ptr<const void> owner);

// Parses all but the payload into `message`. Errors: InvalidArgument: not a
// frame of this message type, or its payload is not the last field.
absl::Status DecodeFrame(const grpc::ByteBuffer& frame, google::protobuf::MessageLite* message,
                         FramePayload* payload);

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_CODEC_FRAME_CODEC_H_
