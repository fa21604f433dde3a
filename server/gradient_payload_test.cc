#include "server/gradient_payload.h"

#include <cstring>

#include "gtest/gtest.h"
#include "server/parameter_store.h"

namespace lockstep::server {
namespace {

v1::WorkerMessage Chunk(v1::GradientEncoding encoding, uint32_t elements) {
  v1::WorkerMessage message;
  message.mutable_gradient_chunk()->set_encoding(encoding);
  message.mutable_gradient_chunk()->set_elements(elements);
  return message;
}

TEST(GradientPayloadTest, Float32IsThePayloadItself) {
  const Tensor payload = Tensor::FromVector(Shape{2}, std::vector<float>{1, -2});
  const auto values = GradientValues(Chunk(v1::GRADIENT_ENCODING_FLOAT32, 2), payload);
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_TRUE(values->SharesElementsWith(payload));
}

TEST(GradientPayloadTest, Bfloat16HasTwoElementsInFourBytes) {
  Tensor payload = Tensor::Zeros(Shape{1});
  const unsigned char bytes[4] = {0x80, 0x3f, 0x49, 0xc0};  // 1, -3.140625
  std::memcpy(payload.data<float>(), bytes, sizeof(bytes));
  const auto values = GradientValues(Chunk(v1::GRADIENT_ENCODING_BFLOAT16, 2), payload);
  ASSERT_TRUE(values.ok()) << values.status();
  ASSERT_EQ(values->shape(), Shape{2});
  EXPECT_EQ(values->data<float>()[0], 1);
  EXPECT_EQ(values->data<float>()[1], -3.140625f);
}

TEST(GradientPayloadTest, ZeroHasNoPayload) {
  const auto values = GradientValues(Chunk(v1::GRADIENT_ENCODING_ZERO, 3), Tensor());
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ(values->ToString(), "tensor([0, 0, 0])");
}

TEST(GradientPayloadTest, OtherMessagesHaveNoValues) {
  v1::WorkerMessage message;
  message.mutable_node_result();
  const auto values = GradientValues(message, Tensor());
  ASSERT_TRUE(values.ok());
  EXPECT_FALSE(values->defined());
  EXPECT_EQ(GradientValues(message, Tensor::Zeros(Shape{1})).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(GradientPayloadTest, RefusesWhatDoesNotFitTogether) {
  const Tensor payload = Tensor::Zeros(Shape{4});
  for (const auto& [message, values] :
       {std::pair{Chunk(v1::GRADIENT_ENCODING_FLOAT32, 4), Tensor()},
        std::pair{Chunk(v1::GRADIENT_ENCODING_BFLOAT16, 4), Tensor()},
        std::pair{Chunk(v1::GRADIENT_ENCODING_ZERO, 4), payload},
        std::pair{Chunk(v1::GRADIENT_ENCODING_ZERO, kLargeChunkElements + 1), Tensor()},
        std::pair{Chunk(static_cast<v1::GradientEncoding>(9), 4), payload}}) {
    EXPECT_EQ(GradientValues(message, values).status().code(), absl::StatusCode::kInvalidArgument)
        << message.ShortDebugString();
  }
}

}  // namespace
}  // namespace lockstep::server
