#include "engine/data/sha256.h"

#include "engine/data/testing/test_files.h"
#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

constexpr char kOfNothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

// Vectors of FIPS 180-2.
TEST(Sha256Test, GivesThePublishedDigests) {
  EXPECT_EQ(Sha256Hex(""), kOfNothing);
  EXPECT_EQ(Sha256Hex("abc"), kOfAbc);
  EXPECT_EQ(Sha256Hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, DoesNotSeeHowTheBytesCame) {
  Sha256 digest;
  digest.Update("a");
  digest.Update("");
  digest.Update("bc");
  EXPECT_EQ(digest.FinishHex(), kOfAbc);
  EXPECT_EQ(digest.FinishHex(), kOfNothing) << "starts anew";
}

TEST(FileSha256Test, TakesTheBytesOnDisk) {
  TestFolder folder;
  EXPECT_EQ(*FileSha256(folder.Write("abc", "abc")), kOfAbc);
  EXPECT_EQ(*FileSha256(folder.Write("empty", "")), kOfNothing);
  const std::string zipped = Gzip("abc");
  EXPECT_EQ(*FileSha256(folder.Write("abc.gz", zipped)), Sha256Hex(zipped));
  const std::string large(1000000, 'a');
  EXPECT_EQ(*FileSha256(folder.Write("large", large)), Sha256Hex(large));
}

TEST(FileSha256Test, NamesAFileThatIsNotThere) {
  TestFolder folder;
  const absl::Status status = FileSha256(folder.PathOf("none")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find(folder.PathOf("none")), absl::string_view::npos);
  EXPECT_EQ(FileSha256(folder.path()).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace lockstep::data
