#include "engine/data/json_scanner.h"

#include <limits>

#include "gtest/gtest.h"

namespace lockstep::data {
namespace {

absl::StatusOr<std::string> String(absl::string_view json) {
  return JsonScanner(json, "file").String();
}
absl::StatusOr<uint64_t> Number(absl::string_view json) {
  return JsonScanner(json, "file").Number();
}

TEST(JsonScannerTest, UndoesEveryEscape) {
  EXPECT_EQ(*String(R"("")"), "");
  EXPECT_EQ(*String(R"( "a\"\\\/\b\f\n\r\t" )"), "a\"\\/\b\f\n\r\t");
  EXPECT_EQ(*String(R"("\u0041\u00e9\u20AC\ud83d\ude00")"), "A\u00e9\u20AC\U0001F600");
  EXPECT_EQ(*String("\"\u00e9\u20AC\U0001F600\""), "\u00e9\u20AC\U0001F600");
  EXPECT_EQ(*String(R"("\u0000")"), std::string(1, '\0'));
}

TEST(JsonScannerTest, ReadsBackWhatJsonStringWrites) {
  std::string text;
  for (int c = 0; c < 128; ++c) text.push_back(static_cast<char>(c));
  text += "\u00e9\U0001F600";
  EXPECT_EQ(*String(JsonString(text)), text);
  EXPECT_EQ(JsonString("a\"\n"), "\"a\\\"\\u000a\"");
}

TEST(JsonScannerTest, RefusesMalformedStrings) {
  for (const char* bad : {"",
                          "a",
                          "\"",
                          "\"abc",
                          "\"\\",
                          "\"\\x\"",
                          "\"\\u12\"",
                          "\"\\u12g4\"",
                          "\"\\ud800\"",
                          "\"\\ud800x\"",
                          "\"\\ud800\\u0041\"",
                          "\"\\udc00\"",
                          "\"\n\"",
                          "\"\x01\"",
                          "\"\x80\"",
                          "\"\xC0\xAF\"",
                          "\"\xE0\x80\xAF\"",
                          "\"\xED\xA0\x80\"",
                          "\"\xF4\x90\x80\x80\"",
                          "\"\xE2\x82",
                          "\"\xFF\"",
                          "\"\\ud800\\",
                          "\"\\u"}) {
    EXPECT_EQ(String(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(JsonScannerTest, KeepsLargeNumbersExact) {
  EXPECT_EQ(*Number("0"), 0u);
  EXPECT_EQ(*Number(" 9007199254740993,"), 9007199254740993u);
  EXPECT_EQ(*Number("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  for (const char* bad : {"", "-1", "01", "1.0", "1e3", "18446744073709551616", "x", "+1",
                          "99999999999999999999999"}) {
    EXPECT_EQ(Number(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(JsonScannerTest, NamesThePlace) {
  JsonScanner scanner("{ x", "file");
  ASSERT_TRUE(scanner.Expect('{').ok());
  EXPECT_EQ(scanner.Expect('}').message(), "file: header byte 2: JSON, got 'x', want '}'");
  EXPECT_EQ(Number("").status().message(),
            "file: header byte 0: number, got its end, want a whole one that is not negative");
}

}  // namespace
}  // namespace lockstep::data
