#include "client/job_file/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Problems(absl::string_view text) {
  return FormatProblems("f", ParseYaml(text).problems);
}

TEST(ParseYamlTest, KeepsKindsTextsAndPositions) {
  const YamlTree tree = ParseYaml("a: 1\nb:\n  - x\n  - 'y'\nc:\nd: {e: ~}\n");
  EXPECT_TRUE(tree.problems.empty());
  ASSERT_EQ(tree.root.kind, YamlNode::Kind::kMap);
  ASSERT_EQ(tree.root.entries.size(), 4);
  const YamlEntry& a = tree.root.entries[0];
  EXPECT_EQ(a.key, "a");
  EXPECT_EQ(a.key_position, (SourcePosition{1, 1}));
  EXPECT_EQ(a.value.text, "1");
  EXPECT_EQ(a.value.position, (SourcePosition{1, 4}));
  const YamlNode& b = tree.root.entries[1].value;
  ASSERT_EQ(b.items.size(), 2);
  EXPECT_EQ(b.items[1].text, "y");
  EXPECT_TRUE(b.items[1].quoted);
  EXPECT_FALSE(b.items[0].quoted);
  EXPECT_EQ(b.items[1].position, (SourcePosition{4, 5}));
  EXPECT_EQ(tree.root.entries[2].value.kind, YamlNode::Kind::kNull);
  EXPECT_EQ(tree.root.entries[3].value.entries[0].value.kind, YamlNode::Kind::kNull);
}

TEST(ParseYamlTest, GivesNothingForAnEmptyText) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~"}) {
    const YamlTree tree = ParseYaml(text);
    EXPECT_TRUE(tree.problems.empty()) << text;
    EXPECT_EQ(tree.root.kind, YamlNode::Kind::kNull) << text;
  }
}

TEST(ParseYamlTest, ReportsKeysWrittenTwiceAndKeepsTheFirst) {
  const YamlTree tree = ParseYaml("a:\n  b: 1\n  c: 2\n  b: 3\n");
  EXPECT_THAT(FormatProblems("f", tree.problems),
              ElementsAre("f:4:3: a.b: written twice, first in line 2"));
  EXPECT_EQ(tree.root.entries[0].value.entries[0].value.text, "1");
  EXPECT_EQ(tree.root.entries[0].value.entries.size(), 2);
}

TEST(ParseYamlTest, ReportsSyntaxErrorsWithTheirPosition) {
  EXPECT_THAT(Problems("a: 1\nb: c: d\n"), ElementsAre("f:2:5: not valid YAML: illegal map value"));
  EXPECT_THAT(Problems("a: [1, 2\n"),
              ElementsAre("f:2:1: not valid YAML: end of sequence flow not found"));
  EXPECT_THAT(Problems("a: \"x"), ElementsAre(HasSubstr("not valid YAML: illegal EOF in scalar")));
}

TEST(ParseYamlTest, RefusesWhatJobFilesDoNotNeed) {
  EXPECT_THAT(Problems("a: &x 1\nb: *x\n"),
              ElementsAre("f:1:4: anchors (&name) are not supported in job files"));
  EXPECT_THAT(Problems("a: *x\n"), ElementsAre(HasSubstr("f:1:4: ")));
  EXPECT_THAT(Problems("a: !!int 3\n"),
              ElementsAre("f:1:4: tags (!name) are not supported in job files"));
  EXPECT_THAT(Problems("a: !x [1]\n"),
              ElementsAre("f:1:4: tags (!name) are not supported in job files"));
  EXPECT_THAT(Problems("a: 1\n---\nb: 2\n"), ElementsAre("f:2:1: got a second document, want one"));
  EXPECT_THAT(Problems("? [a]\n: 1\n"),
              ElementsAre(HasSubstr("got a list or map as a key, want a name")));
  EXPECT_THAT(Problems("~: 1\n"), ElementsAre(HasSubstr("got an empty key, want a name")));
}

TEST(ParseYamlTest, RefusesDeepNesting) {
  EXPECT_TRUE(Problems(std::string(kMaxYamlDepth, '[') + std::string(kMaxYamlDepth, ']')).empty());
  for (const size_t depth : {kMaxYamlDepth + 1, 1000, 100000}) {
    EXPECT_THAT(Problems(std::string(depth, '[') + std::string(depth, ']')),
                ElementsAre("f:1:33: got deeper nesting, want at most 32 levels"));
    EXPECT_EQ(Problems(std::string(depth, '{')).size(), 1);
  }
}

TEST(ParseYamlTest, RefusesALaughBomb) {
  std::string text = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last + ", " + last + "]\n";
  }
  EXPECT_THAT(Problems(text), ElementsAre(HasSubstr("anchors (&name) are not supported")));
}

}  // namespace
}  // namespace lockstep::client
