#include "engine/data/safetensors.h"

#include <cmath>
#include <cstring>

#include "engine/data/model_hash.h"
#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

std::vector<NamedTensor> Model() {
  return {{"2.empty", Tensor::Empty(Shape{0, 4})},
          {"10.scale", Tensor::Scalar(0.1f)},
          {"0.weight", Tensor::FromVector(Shape{2, 3}, std::vector<float>{1, 2, 3, 4, 5, NAN})},
          {"0.bias", Tensor::FromVector(Shape{2}, std::vector<float>{-0.0f, 1e-40f})}};
}

// A file with this header text and so many zero bytes of data.
std::string File(absl::string_view json, size_t data_bytes) {
  const uint64_t length = json.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + std::string(json) + std::string(data_bytes, '\0');
}

absl::Status ParseError(absl::string_view json, size_t data_bytes) {
  return ParseSafetensors(File(json, data_bytes), "m").status();
}

void ExpectRefused(absl::string_view json, size_t data_bytes, const std::string& message) {
  const absl::Status status = ParseError(json, data_bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(std::string(status.message()), message);
}

TEST(SafetensorsTest, WritesTheDocumentedBytes) {
  const std::string header = SafetensorsHeader(Model(), {{"step", "7"}, {"job", "a\"b"}});
  const std::string json = header.substr(8);
  EXPECT_EQ(json.size() % 8, 0u);
  EXPECT_EQ(header.substr(0, 8), File(json, 0).substr(0, 8));
  EXPECT_EQ(json.substr(0, json.find_last_not_of(' ') + 1),
            R"({"__metadata__":{"job":"a\"b","step":"7"},)"
            R"("0.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
            R"("0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},)"
            R"("10.scale":{"dtype":"F32","shape":[],"data_offsets":[32,36]},)"
            R"("2.empty":{"dtype":"F32","shape":[0,4],"data_offsets":[36,36]}})");
  const std::string bytes = SerializeSafetensors(Model(), {});
  EXPECT_EQ(bytes.size(), SafetensorsHeader(Model(), {}).size() + 36);
}

TEST(SafetensorsTest, ReadsBackEveryBit) {
  TestFolder folder;
  const SafetensorsMetadata metadata = {{"job", "x\n\u00e9"}, {"step", "7"}};
  const std::string path = folder.PathOf("model.safetensors");
  ASSERT_TRUE(WriteSafetensors(path, Model(), metadata).ok());
  EXPECT_EQ(ReadTestFile(path), SerializeSafetensors(Model(), metadata));
  absl::StatusOr<SafetensorsFile> file = ReadSafetensors(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata, metadata);
  ASSERT_EQ(file->tensors.size(), 4u);
  EXPECT_EQ(file->tensors[1].name, "0.weight");
  EXPECT_EQ(file->tensors[1].tensor.shape(), (Shape{2, 3}));
  EXPECT_EQ(ModelSha256(file->tensors), ModelSha256(Model()));
}

TEST(SafetensorsTest, ReadsAFileWithoutTensors) {
  EXPECT_TRUE(ParseSafetensors(SerializeSafetensors({}, {}), "m")->tensors.empty());
  EXPECT_TRUE(ParseSafetensors(File("{}", 0), "m")->tensors.empty());
}

// As the reference implementation writes it: other order of keys, of tensors.
TEST(SafetensorsTest, ReadsOtherWritersFiles) {
  absl::StatusOr<SafetensorsFile> file =
      ParseSafetensors(File(R"( {"b": {"shape": [1], "data_offsets": [0, 4], "dtype": "F32"},
              "a":{"data_offsets":[4,12],"dtype":"F32","shape":[2,1]},"__metadata__":{}}  )",
                            12),
                       "m");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors[0].name, "a");
}

TEST(SafetensorsTest, NamesOtherElementTypes) {
  ExpectRefused(R"({"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", 8,
                R"(m: tensor "w": dtype, got "F64", want F32)");
  ExpectRefused(R"({"w":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8,
                R"(m: tensor "w": dtype, got "I64", want F32)");
}

TEST(SafetensorsTest, RefusesTensorsThatDoNotTileTheData) {
  ExpectRefused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                8,
                R"(m: tensor "b": data_offsets, got [4, 8], want 8 as the first: )"
                "no overlaps, no holes");
  ExpectRefused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8,
                R"(m: tensor "a": data_offsets, got [4, 8], want 0 as the first: )"
                "no overlaps, no holes");
  ExpectRefused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
                R"(m: tensor "a": data_offsets, got [0, 4], want 8 bytes between them for )"
                "shape [2]");
  ExpectRefused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4,
                R"(m: tensor "a": data_offsets, got [4, 0], want 4 bytes between them for )"
                "shape [1]");
}

TEST(SafetensorsTest, ReportsALostOrLongTail) {
  const std::string good = SerializeSafetensors(Model(), {});
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(ParseSafetensors(good.substr(0, length), "m").status().code(),
              absl::StatusCode::kDataLoss)
        << length;
  }
  EXPECT_EQ(ParseSafetensors(good + "x", "m").status().message(),
            "m: tensor data, got 37 bytes, want 36 as the header says");
}

TEST(SafetensorsTest, RefusesShapesThatOverflow) {
  const char* const extents[] = {
      "4611686018427387904,4", "4294967296,4294967296,2",
      "9223372036854775807",   "4611686018427387904,4611686018427387904,0",
      "18446744073709551615",  "9223372036854775808"};
  for (const std::string shape : extents) {
    EXPECT_EQ(
        ParseError(R"({"a":{"dtype":"F32","shape":[)" + shape + R"(],"data_offsets":[0,0]}})", 0)
            .code(),
        absl::StatusCode::kInvalidArgument)
        << shape;
  }
}

TEST(SafetensorsTest, RefusesOffsetsBeyondTheFileWithoutTakingMemory) {
  const absl::Status status = ParseError(
      R"({"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}})", 8);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
}

TEST(SafetensorsTest, RefusesHugeHeaderLengths) {
  for (const absl::string_view length : {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "12345678"}) {
    EXPECT_EQ(ParseSafetensors(std::string(length) + "{}", "m").status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(SafetensorsTest, RefusesMalformedHeaders) {
  const std::string entry = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const std::string cases[] = {
      "",
      "[]",
      "{",
      "{}x",
      "{,}",
      R"({"a":)" + entry + ",}",
      R"({"a":)" + entry + R"(,"a":)" + entry + "}",
      R"({"a":1})",
      R"({"a":{}})",
      R"({a:)" + entry + "}",
      R"({"__metadata__":{"k":1}})",
      R"({"__metadata__":{"k":"1","k":"1"}})",
      R"({"__metadata__":{},"__metadata__":{}})",
      R"({"a":{"dtype":"F32","shape":[1]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}})",
      R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})",
      R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})",
      std::string(1000, '{'),
      std::string(1000, '['),
  };
  for (const std::string& json : cases) {
    EXPECT_EQ(ParseError(json, 4).code(), absl::StatusCode::kInvalidArgument) << json;
  }
  ExpectRefused(
      R"({"a":)" + entry + R"(,"a":)" + entry + "}", 4,
      "m: header byte 58: key \"a\" for the second time, got '{\\\"dtype\\\":\\\"F32\\\",\\\"'"
      ", want each key once");
}

// Any one byte changed: refused or read, never a crash.
TEST(SafetensorsTest, OutlivesEveryChangedByte) {
  const std::string good = SerializeSafetensors(Model(), {{"key", "\u00e9\\"}});
  for (size_t place = 0; place < good.size(); ++place) {
    for (char value : {'\0', '"', '{', '9', '\\', '\xFF'}) {
      std::string bad = good;
      bad[place] = value;
      (void)ParseSafetensors(bad, "m").ok();
    }
  }
}

TEST(SafetensorsTest, SaysWhichFileIsNotThere) {
  TestFolder folder;
  EXPECT_EQ(ReadSafetensors(folder.PathOf("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadSafetensors(folder.Write("empty", "")).status().code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace lockstep::data
