#include "proto/codec/frame_codec.h"

#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "lockstep/v1/worker_service.pb.h"

namespace lockstep {
namespace {

std::string Bytes(const grpc::ByteBuffer& frame) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(frame.Dump(&slices).ok());
  std::string bytes;
  for (const auto& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// The same bytes, cut into slices of `piece` bytes as a network may.
grpc::ByteBuffer Recut(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    slices.emplace_back(bytes.substr(at, piece));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

v1::WorkerMessage ChunkMessage() {
  v1::WorkerMessage message;
  message.mutable_gradient_chunk()->set_job_id("job-7");
  message.mutable_gradient_chunk()->set_step(41);
  message.mutable_gradient_chunk()->set_end_shard(8);
  return message;
}

TEST(FrameCodecTest, IsAnOrdinaryProtobufMessageOnTheWire) {
  const auto data = std::make_shared<std::string>("\x01\x02\x03\x04");
  const std::string bytes = Bytes(EncodeFrame(ChunkMessage(), data->data(), data->size(), data));
  v1::WorkerMessage message;
  ASSERT_TRUE(message.ParseFromString(bytes));
  EXPECT_EQ(message.payload(), *data);
  EXPECT_EQ(message.gradient_chunk().step(), 41);
}

TEST(FrameCodecTest, PayloadSurvivesAnyCutIntoSlices) {
  auto data = std::make_shared<std::string>(3000, 'x');
  for (size_t i = 0; i < data->size(); ++i) (*data)[i] = static_cast<char>(i * 7);
  const std::string bytes = Bytes(EncodeFrame(ChunkMessage(), data->data(), data->size(), data));
  for (size_t piece : {1, 2, 3, 7, 19, 20, 100, 512, 513, 4000}) {
    v1::WorkerMessage message;
    FramePayload payload;
    ASSERT_TRUE(DecodeFrame(Recut(bytes, piece), &message, &payload).ok());
    EXPECT_EQ(message.gradient_chunk().job_id(), "job-7");
    ASSERT_EQ(payload.size_bytes(), data->size());
    std::string out(data->size(), 0);
    payload.CopyTo(&out[0]);
    EXPECT_EQ(out, *data);
  }
}

TEST(FrameCodecTest, MessagesWithoutPayloadMayBeLong) {
  for (size_t length : {0, 400, 500, 505, 510, 512, 100000}) {
    v1::WorkerMessage message;
    message.mutable_job_error()->set_message(std::string(length, 'e'));
    v1::WorkerMessage decoded;
    FramePayload payload;
    ASSERT_TRUE(DecodeFrame(EncodeFrame(message), &decoded, &payload).ok()) << length;
    EXPECT_EQ(decoded.job_error().message().size(), length);
    EXPECT_EQ(payload.size_bytes(), 0);
  }
}

TEST(FrameCodecTest, OwnerIsReleasedWithTheFrame) {
  auto data = std::make_shared<std::string>(100000, 'x');
  {
    const grpc::ByteBuffer frame = EncodeFrame(ChunkMessage(), data->data(), data->size(), data);
    EXPECT_EQ(data.use_count(), 2);
  }
  EXPECT_EQ(data.use_count(), 1);
}

TEST(FrameCodecTest, GarbageIsRefusedAndNeverCrashes) {
  const auto data = std::make_shared<std::string>(600, 'd');
  const std::string good = Bytes(EncodeFrame(ChunkMessage(), data->data(), data->size(), data));
  v1::WorkerMessage message;
  FramePayload payload;
  EXPECT_FALSE(DecodeFrame(Recut(good.substr(0, good.size() - 1), 64), &message, &payload).ok());
  EXPECT_FALSE(DecodeFrame(Recut(good + "\x01", 64), &message, &payload).ok());
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % 40] = static_cast<char>(random());
    const absl::Status status = DecodeFrame(Recut(bytes, 1 + random() % 64), &message, &payload);
    if (status.ok() && payload.size_bytes() > 0) {
      std::string out(payload.size_bytes(), 0);
      payload.CopyTo(&out[0]);
    }
  }
}

}  // namespace
}  // namespace lockstep
