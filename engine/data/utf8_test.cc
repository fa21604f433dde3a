#include "engine/data/utf8.h"

#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

TEST(Utf8LengthTest, FollowsTheStandard) {
  EXPECT_EQ(Utf8Length("a"), 1);
  EXPECT_EQ(Utf8Length("\xC3\xA9x"), 2);
  EXPECT_EQ(Utf8Length("\xE2\x82\xAC"), 3);
  EXPECT_EQ(Utf8Length("\xF4\x8F\xBF\xBF"), 4);
  EXPECT_EQ(Utf8Length(""), 0);
  EXPECT_EQ(Utf8Length("\x80"), 0);
  EXPECT_EQ(Utf8Length("\xC0\x80"), 0) << "overlong";
  EXPECT_EQ(Utf8Length("\xE0\x9F\xBF"), 0) << "overlong";
  EXPECT_EQ(Utf8Length("\xF0\x8F\xBF\xBF"), 0) << "overlong";
  EXPECT_EQ(Utf8Length("\xED\xA0\x80"), 0) << "a surrogate";
  EXPECT_EQ(Utf8Length("\xF4\x90\x80\x80"), 0) << "beyond U+10FFFF";
  EXPECT_EQ(Utf8Length("\xE2\x82"), 0) << "cut short";
}

TEST(Utf8Test, ReadsAndWritesCodePoints) {
  for (const auto& [text, code_point] :
       std::initializer_list<std::pair<const char*, uint32_t>>{{"a", 0x61},
                                                               {"\xC3\xA9", 0xE9},
                                                               {"\xE2\x82\xAC", 0x20AC},
                                                               {"\xF4\x8F\xBF\xBF", 0x10FFFF}}) {
    EXPECT_EQ(Utf8CodePoint(text), code_point);
    std::string written;
    AppendUtf8(code_point, &written);
    EXPECT_EQ(written, text);
  }
}

}  // namespace
}  // namespace lockstep::data
