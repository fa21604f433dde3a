#include "proto/codec/frame_codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace lockstep {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr uint32_t kPayloadTag = (kPayloadField << 3) | WireFormatLite::WIRETYPE_LENGTH_DELIMITED;

// Keeps the payload's memory until gRPC has let go of the slice.
void ReleaseOwner(void* owner) { delete static_cast<std::shared_ptr<const void>*>(owner); }

// Bytes of a header never exceed this: the largest carries a JobSpec.
constexpr size_t kMaximumHeaderBytes = 4 << 20;

// The bytes of the frame from `offset` on, at most `limit` of them.
std::string CopyPrefix(const std::vector<grpc::Slice>& slices, size_t limit) {
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    if (bytes.size() >= limit) break;
    const size_t take = std::min(slice.size(), limit - bytes.size());
    bytes.append(reinterpret_cast<const char*>(slice.begin()), take);
  }
  return bytes;
}

// Finds the payload field in a prefix of the frame. Returns false where the
// bytes are no protobuf message (or the prefix ends inside a field).
struct PayloadPlace {
  bool found = false;
  size_t header_bytes = 0;   // before the payload's tag
  size_t payload_begin = 0;  // first byte after its length
  size_t payload_bytes = 0;
};

bool FindPayload(const std::string& prefix, PayloadPlace* place) {
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(prefix.data()),
                                               static_cast<int>(prefix.size()));
  while (true) {
    const int before = input.CurrentPosition();
    const uint32_t tag = input.ReadTag();
    if (tag == 0) {
      place->header_bytes = before;
      return input.ConsumedEntireMessage();
    }
    if (tag == kPayloadTag) {
      uint32_t length = 0;
      if (!input.ReadVarint32(&length)) return false;
      *place = {true, static_cast<size_t>(before), static_cast<size_t>(input.CurrentPosition()),
                length};
      return true;
    }
    if (!WireFormatLite::SkipField(&input, tag)) return false;
  }
}

}  // namespace

void FramePayload::CopyTo(void* destination) const {
  char* out = static_cast<char*>(destination);
  size_t offset = first_offset_;
  for (const grpc::Slice& slice : slices_) {
    const size_t bytes = slice.size() - offset;
    std::memcpy(out, slice.begin() + offset, bytes);
    out += bytes;
    offset = 0;
  }
}

grpc::ByteBuffer EncodeFrame(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer EncodeFrame(const google::protobuf::MessageLite& message, const void* data,
                             size_t size_bytes, std::shared_ptr<const void> owner) {
  std::string header = message.SerializeAsString();
  {
    google::protobuf::io::StringOutputStream stream(&header);
    google::protobuf::io::CodedOutputStream output(&stream);
    // StringOutputStream appends to what is there.
    output.WriteTag(kPayloadTag);
    output.WriteVarint32(static_cast<uint32_t>(size_bytes));
  }
  const grpc::Slice slices[2] = {grpc::Slice(header),
                                 grpc::Slice(const_cast<void*>(data), size_bytes, ReleaseOwner,
                                             new std::shared_ptr<const void>(std::move(owner)))};
  return grpc::ByteBuffer(slices, 2);
}

absl::Status DecodeFrame(const grpc::ByteBuffer& frame, google::protobuf::MessageLite* message,
                         FramePayload* payload) {
  std::vector<grpc::Slice> slices;
  if (!frame.Dump(&slices).ok()) return absl::InvalidArgumentError("frame: unreadable buffer");
  const size_t total = frame.Length();
  // Small frames, and the headers of large ones, are a few hundred bytes.
  size_t prefix_bytes = std::min<size_t>(total, 512);
  std::string prefix = CopyPrefix(slices, prefix_bytes);
  PayloadPlace place;
  bool parsed = FindPayload(prefix, &place);
  if (!parsed && prefix_bytes < total) {
    prefix = CopyPrefix(slices, std::min(total, kMaximumHeaderBytes));
    parsed = FindPayload(prefix, &place);
  } else if (parsed && !place.found && prefix_bytes < total) {
    // A field ended just where the prefix did.
    prefix = CopyPrefix(slices, std::min(total, kMaximumHeaderBytes));
    parsed = FindPayload(prefix, &place);
  }
  if (!parsed) return absl::InvalidArgumentError("frame: not a protobuf message");
  if (place.found && place.payload_begin + place.payload_bytes != total) {
    return absl::InvalidArgumentError("frame: payload is not the last field, or is cut short");
  }
  if (!message->ParseFromArray(prefix.data(), static_cast<int>(place.header_bytes))) {
    return absl::InvalidArgumentError("frame: got bytes that are not a " + message->GetTypeName());
  }
  *payload = FramePayload();
  if (!place.found) return absl::OkStatus();
  payload->size_bytes_ = place.payload_bytes;
  size_t skip = place.payload_begin;
  for (grpc::Slice& slice : slices) {
    if (skip >= slice.size()) {
      skip -= slice.size();
      continue;
    }
    if (payload->slices_.empty()) {
      payload->first_offset_ = skip;
      skip = 0;
    }
    payload->slices_.push_back(std::move(slice));
  }
  return absl::OkStatus();
}

}  // namespace lockstep
