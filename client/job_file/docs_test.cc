// docs/job_file.md against what it documents: every field has its row in its
// message's table, and every job file shown is valid.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/job_file/job_file_parser.h"
#include "client/job_file/job_file_problem.h"
#include "client/job_file/job_file_text.h"
#include "client/job_file/yaml_to_proto.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::client {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string Document() {
  const auto text = ReadJobFileText("docs/job_file.md");
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? *text : "";
}

// The text under each path that a heading names: "### `data.train`, `data.validation`".
std::map<std::string, std::string> Sections() {
  std::map<std::string, std::string> sections;
  std::vector<std::string> paths;
  for (const absl::string_view line : absl::StrSplit(Document(), '\n')) {
    if (absl::StartsWith(line, "#")) paths.clear();
    if (line == "### The job") paths = {""};
    if (absl::StartsWith(line, "### `")) {
      paths = absl::StrSplit(line.substr(5, line.size() - 6), "`, `");
    }
    for (const std::string& path : paths) absl::StrAppend(&sections[path], line, "\n");
  }
  return sections;
}

void ExpectDocumented(const Descriptor* type, const std::string& path,
                      const std::map<std::string, std::string>& sections) {
  if (type->field_count() == 0) return;
  const auto section = sections.find(path);
  ASSERT_NE(section, sections.end()) << "no section for " << path;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    const bool has_row =
        absl::StrContains(section->second, absl::StrCat("\n| `", field->name(), "` | "));
    const bool is_in_yaml = field->number() < kFirstFieldNumberOfTheClient;
    EXPECT_EQ(has_row, is_in_yaml)
        << path << " " << field->name() << ": run tools/generate_job_file_docs.py";
    if (is_in_yaml && field->message_type() != nullptr) {
      ExpectDocumented(field->message_type(),
                       absl::StrCat(path, path.empty() ? "" : ".", field->name()), sections);
    }
  }
}

TEST(JobFileDocsTest, EveryFieldHasARowAndTheClientsOwnHaveNone) {
  ExpectDocumented(v1::JobSpec::descriptor(), "", Sections());
}

TEST(JobFileDocsTest, EveryJobFileShownIsValid) {
  std::vector<std::string> blocks = absl::StrSplit(Document(), "```yaml\n");
  ASSERT_GE(blocks.size(), 5);
  for (size_t i = 1; i < blocks.size(); ++i) {
    const std::string text = blocks[i].substr(0, blocks[i].find("```"));
    EXPECT_THAT(FormatProblems(absl::StrCat("block ", i), ParseJobFile(text, "job.yaml").problems),
                testing::IsEmpty());
  }
}

TEST(JobFileDocsTest, TheErrorsShownAreTheRealOnes) {
  const std::string text =
      "model: [relu]\nloss: mse\ndata: {train: {csv: {path: a}}}\nepochs: 1\n"
      "optimizer:\n  adam:\n    learning_rat: 0.1\nbatch_size: abc\nshards: 0\n";
  const std::vector<std::string> lines =
      FormatProblems("job.yaml", ParseJobFile(text, "job.yaml").problems);
  EXPECT_EQ(lines.size(), 3);
  const std::string document = Document();
  for (const std::string& line : lines) EXPECT_TRUE(absl::StrContains(document, line)) << line;
}

TEST(JobFileDocsTest, TheExamplesAreValid) {
  for (const char* path : {"examples/digits/job.yaml", "examples/fashion_mnist/job.yaml"}) {
    const auto text = ReadJobFileText(path);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_THAT(FormatProblems(path, ParseJobFile(*text, path).problems), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace lockstep::client
