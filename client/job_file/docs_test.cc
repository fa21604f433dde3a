// docs/job_file.md against what it documents: every field has its row in its
// message's table, and every job file shown is valid.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/job_file/job_file_parser.h"
#include "client/job_file/job_file_problem.h"
#include "client/job_file/job_file_text.h"
#include "client/job_file/yaml_to_proto.h"
#include "engine/model/layer_fields.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep::client {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::string Document(const std::string& path = "docs/job_file.md") {
  const auto text = ReadJobFileText(path);
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
    // docs/layers.md has the layers.
    if (is_in_yaml && field->message_type() != nullptr && type != v1::LayerChoice::descriptor()) {
      ExpectDocumented(field->message_type(),
                       absl::StrCat(path, path.empty() ? "" : ".", field->name()), sections);
    }
  }
}

// "`true`", "`1`", "`relu`": the default that `layer` was given.
std::string DefaultText(const google::protobuf::Message& layer, const FieldDescriptor& field) {
  const google::protobuf::Reflection& reflection = *layer.GetReflection();
  std::string text;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    text = reflection.GetEnum(layer, &field)->name();
    return absl::AsciiStrToLower(text.substr(text.rfind('_') + 1));
  }
  google::protobuf::TextFormat::PrintFieldValueToString(layer, &field, field.is_repeated() ? 0 : -1,
                                                        &text);
  return text;
}

// That the field's row tells the default and range that it really has.
void ExpectRow(const std::string& section, const google::protobuf::Message& layer,
               const FieldDescriptor& field) {
  const size_t start = section.find(absl::StrCat("\n| `", field.name(), "` |"));
  ASSERT_NE(start, std::string::npos) << field.full_name();
  const std::vector<std::string> cells =
      absl::StrSplit(section.substr(start + 1, section.find('\n', start + 1) - start), " | ");
  ASSERT_EQ(cells.size(), 5) << field.full_name();
  const LayerFieldRule* rule = FindLayerFieldRule(field);
  const bool of_text_or_layers = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ||
                                 field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  EXPECT_EQ(rule == nullptr, of_text_or_layers) << field.full_name();
  if (rule == nullptr) return;
  EXPECT_EQ(absl::StrContains(cells[2], '`'), rule->otherwise.has_value()) << field.full_name();
  if (rule->otherwise.has_value()) {
    EXPECT_EQ(cells[2], absl::StrCat("`", DefaultText(layer, field), "`")) << field.full_name();
  }
  if (rule->kind == LayerFieldRule::Kind::kRange) {
    EXPECT_EQ(cells[3], rule->Wanted()) << field.full_name();
  }
}

TEST(JobFileDocsTest, EveryFieldHasARowAndTheClientsOwnHaveNone) {
  ExpectDocumented(v1::JobSpec::descriptor(), "", Sections());
}

// The sections of docs/layers.md by layer, loss, ...: "### `linear`".
TEST(JobFileDocsTest, EveryFieldOfALayerStandsWithItsDefaultAndRange) {
  const std::string document = Document("docs/layers.md");
  const Descriptor* choice = v1::LayerChoice::descriptor();
  for (int i = 0; i < choice->field_count(); ++i) {
    const size_t start = document.find(absl::StrCat("### `", choice->field(i)->name(), "`\n"));
    ASSERT_NE(start, std::string::npos) << choice->field(i)->name();
    const std::string section = document.substr(start, document.find("\n##", start + 1) - start);
    v1::JobSpec defaults;
    defaults.add_model()->GetReflection()->MutableMessage(defaults.mutable_model(0),
                                                          choice->field(i));
    FillLayerDefaults(&defaults);
    const google::protobuf::Message& layer =
        defaults.model(0).GetReflection()->GetMessage(defaults.model(0), choice->field(i));
    const Descriptor* type = choice->field(i)->message_type();
    for (int k = 0; k < type->field_count(); ++k) {
      ExpectRow(section, layer, *type->field(k));
    }
  }
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
  for (const char* path :
       {"examples/char_gpt/job.yaml", "examples/custom_model/job.yaml", "examples/digits/job.yaml",
        "examples/fashion_mnist/cnn.yaml", "examples/fashion_mnist/job.yaml",
        "examples/fashion_mnist/resnet.yaml"}) {
    const auto text = ReadJobFileText(path);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_THAT(FormatProblems(path, ParseJobFile(*text, path).problems), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace lockstep::client
