#include "engine/data/model_hash.h"

#include "engine/data/sha256.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

std::vector<NamedTensor> Model() {
  return {{"2.empty", Tensor::Empty(Shape{0, 4})},
          {"10.scale", Tensor::Scalar(0.1f)},
          {"0.weight", Tensor::FromVector(Shape{2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6.5})},
          {"0.bias", Tensor::FromVector(Shape{2}, std::vector<float>{-0.0f, 1e-40f})}};
}

// By Python's hashlib and struct: for n in sorted(names):
//   d.update(n + b'\0F32\0' + pack('<Q', rank) + pack('<Q', each extent) + pack('<f', each
//   element))
constexpr char kGolden[] = "57c77f7f02874a32a6e69fe90267826bbd6dfb2da92642c8f4346e75cb193c3e";

TEST(ModelHashTest, EqualsPythonsHashlib) { EXPECT_EQ(ModelSha256(Model()), kGolden); }

TEST(ModelHashTest, DoesNotSeeTheOrderOfTheTensors) {
  std::vector<NamedTensor> model = Model();
  std::swap(model[0], model[3]);
  EXPECT_EQ(ModelSha256(model), kGolden);
  EXPECT_EQ(ModelSha256({}), Sha256Hex(""));
}

TEST(ModelHashTest, SeesNamesShapesAndEveryBit) {
  std::vector<NamedTensor> model = Model();
  model[3].name = "1.bias";
  EXPECT_NE(ModelSha256(model), kGolden);
  model = Model();
  model[2].tensor = model[2].tensor.Reshape(Shape{3, 2});
  EXPECT_NE(ModelSha256(model), kGolden);
  model = Model();
  model[3].tensor.data<float>()[0] = 0.0f;  // was -0
  EXPECT_NE(ModelSha256(model), kGolden);
}

}  // namespace
}  // namespace lockstep::data
