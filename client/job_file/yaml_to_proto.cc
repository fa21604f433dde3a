#include "client/job_file/yaml_to_proto.h"

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/job_file/edit_distance.h"
#include "client/job_file/yaml_scalar.h"

namespace lockstep::client {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;

// A file of nothing but mistakes has enough with this many.
constexpr size_t kMaxProblems = 1000;

// The one oneof of a message named *Choice; null for any other message.
const OneofDescriptor* ChoiceOf(const Descriptor* type) {
  const bool is_choice = absl::EndsWith(type->name(), "Choice");
  return is_choice && type->real_oneof_decl_count() == 1 ? type->oneof_decl(0) : nullptr;
}

bool IsInYaml(const FieldDescriptor* field) {
  return field->number() < kFirstFieldNumberOfTheClient;
}

std::vector<std::string> FieldNames(const Descriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; i < type->field_count(); ++i) {
    if (IsInYaml(type->field(i))) names.push_back(type->field(i)->name());
  }
  return names;
}

const FieldDescriptor* FindField(const Descriptor* type, const std::string& name) {
  const FieldDescriptor* field = type->FindFieldByName(name);
  return field != nullptr && IsInYaml(field) ? field : nullptr;
}

// A list of more names than this would bury the rest of a message.
constexpr size_t kMostNamesShown = 20;

// "x, y"; the first few of very many.
std::string List(const std::vector<std::string>& names) {
  if (names.empty()) return "none";
  if (names.size() <= kMostNamesShown) return absl::StrJoin(names, ", ");
  return absl::StrCat(absl::StrJoin(names.begin(), names.begin() + kMostNamesShown, ", "), " and ",
                      names.size() - kMostNamesShown, " more");
}

// "did you mean 'x'? (known: x, y)", or "known: x, y".
std::string Suggestion(const std::string& nearest, const std::vector<std::string>& known) {
  if (nearest.empty()) return absl::StrCat("known: ", List(known));
  return absl::StrCat("did you mean '", nearest, "'? (known: ", List(known), ")");
}

// JOB_STATE for JobState.
std::string EnumPrefix(const EnumDescriptor* type) {
  std::string prefix;
  for (const char c : type->name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  return prefix + "_";
}

class Converter {
 public:
  Converter(SourcePositions* positions, std::vector<JobFileProblem>* problems)
      : positions_(positions), problems_(problems) {}

  // Fields of a message, or one choice; `node` may also be nothing: all unset.
  void FillMessage(const YamlNode& node, SourcePosition position, const std::string& path,
                   Message* message) {
    const Descriptor* type = message->GetDescriptor();
    if (const OneofDescriptor* choice = ChoiceOf(type)) {
      return FillChoice(node, position, path, choice, message);
    }
    if (node.kind == YamlNode::Kind::kNull) return;
    if (node.kind != YamlNode::Kind::kMap) {
      return Report(position, path,
                    absl::StrCat("got ", Describe(node), ", want a map of fields (",
                                 absl::StrJoin(FieldNames(type), ", "), ")"));
    }
    for (const YamlEntry& entry : node.entries) {
      const FieldDescriptor* field = FindField(type, entry.key);
      if (field == nullptr) {
        ReportUnknown("field", entry.key_position, path, entry.key, FieldNames(type));
      } else {
        FillField(entry, Join(path, entry.key), field, message);
      }
    }
  }

 private:
  static std::string Join(const std::string& path, absl::string_view name) {
    return absl::StrCat(path, path.empty() ? "" : ".", name);
  }

  void Report(SourcePosition position, std::string path, std::string message) {
    if (problems_->size() >= kMaxProblems) return;
    problems_->push_back({position, std::move(path), std::move(message)});
  }

  void ReportUnknown(absl::string_view what, SourcePosition position, const std::string& path,
                     const std::string& key, const std::vector<std::string>& known) {
    const std::string nearest = NearestWord(key, known);
    Report(position, Join(path, KeyForPath(key)),
           absl::StrCat("unknown ", what, ", ", Suggestion(nearest, known)));
    if (!nearest.empty()) problems_->back().meant_path = Join(path, nearest);
  }

  void FillChoice(const YamlNode& node, SourcePosition position, const std::string& path,
                  const OneofDescriptor* choice, Message* message) {
    const std::vector<std::string> known = FieldNames(choice->containing_type());
    if (node.kind == YamlNode::Kind::kScalar) {
      const FieldDescriptor* field = FindField(choice->containing_type(), node.text);
      if (field == nullptr) {
        return Report(position, path,
                      absl::StrCat("unknown ", choice->name(), " ", QuotedForMessage(node.text),
                                   ", ", Suggestion(NearestWord(node.text, known), known)));
      }
      YamlEntry all_defaults{node.text, position, {}};
      return FillField(all_defaults, Join(path, node.text), field, message);
    }
    if (node.kind != YamlNode::Kind::kMap || node.entries.empty()) {
      return Report(position, path,
                    absl::StrCat("got ", Describe(node), ", want one of: ", List(known)));
    }
    if (node.entries.size() > 1) return ReportSeveral(node, path, known);
    const YamlEntry& entry = node.entries[0];
    const FieldDescriptor* field = FindField(choice->containing_type(), entry.key);
    if (field == nullptr) {
      return ReportUnknown(choice->name(), entry.key_position, path, entry.key, known);
    }
    FillField(entry, Join(path, entry.key), field, message);
  }

  // Most often the chosen one's fields, which lack indentation.
  void ReportSeveral(const YamlNode& node, const std::string& path,
                     const std::vector<std::string>& known) {
    const YamlEntry& second = node.entries[1];
    Report(second.key_position, path,
           absl::StrCat("got ", QuotedForMessage(second.key), " beside ",
                        QuotedForMessage(node.entries[0].key), ", want one of: ", List(known),
                        "; its fields are indented below it"));
  }

  void FillField(const YamlEntry& entry, const std::string& path, const FieldDescriptor* field,
                 Message* message) {
    const bool scalar = entry.value.kind == YamlNode::Kind::kScalar;
    const SourcePosition position = scalar ? entry.value.position : entry.key_position;
    positions_->Add(path, position);
    if (field->is_map()) {
      FillMap(entry.value, position, path, field, message);
    } else if (field->is_repeated()) {
      FillList(entry.value, position, path, field, message);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      FillMessage(entry.value, position, path,
                  message->GetReflection()->MutableMessage(message, field));
    } else {
      SetValue(entry.value, position, path, field, message);
    }
  }

  void FillList(const YamlNode& node, SourcePosition position, const std::string& path,
                const FieldDescriptor* field, Message* message) {
    if (node.kind == YamlNode::Kind::kNull) return;
    const bool holds_messages = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (node.kind == YamlNode::Kind::kScalar && !holds_messages) {
      positions_->Add(absl::StrCat(path, "[0]"), position);
      return SetValue(node, position, path, field, message);
    }
    if (node.kind != YamlNode::Kind::kList) {
      return Report(position, path, absl::StrCat("got ", Describe(node), ", want a list"));
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      const std::string item_path = absl::StrCat(path, "[", i, "]");
      positions_->Add(item_path, item.position);
      if (holds_messages) {
        FillMessage(item, item.position, item_path,
                    message->GetReflection()->AddMessage(message, field));
      } else {
        SetValue(item, item.position, item_path, field, message);
      }
    }
  }

  // The message's one map is of text to text: any name, and any scalar as it
  // is written.
  void FillMap(const YamlNode& node, SourcePosition position, const std::string& path,
               const FieldDescriptor* field, Message* message) {
    if (node.kind == YamlNode::Kind::kNull) return;
    if (node.kind != YamlNode::Kind::kMap) {
      return Report(position, path,
                    absl::StrCat("got ", Describe(node), ", want a map of names and values"));
    }
    const Descriptor* pair = field->message_type();
    for (const YamlEntry& entry : node.entries) {
      const std::string entry_path = Join(path, KeyForPath(entry.key));
      const bool scalar = entry.value.kind == YamlNode::Kind::kScalar;
      const SourcePosition at = scalar ? entry.value.position : entry.key_position;
      positions_->Add(entry_path, at);
      Message* added = message->GetReflection()->AddMessage(message, field);
      added->GetReflection()->SetString(added, pair->map_key(), entry.key);
      SetValue(entry.value, at, entry_path, pair->map_value(), added);
    }
  }

  void SetValue(const YamlNode& node, SourcePosition position, const std::string& path,
                const FieldDescriptor* field, Message* message) {
    std::string error = field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM
                            ? SetEnum(node, field, message)
                            : SetScalar(node, field, message);
    if (!error.empty()) Report(position, path, std::move(error));
  }

  static std::string SetEnum(const YamlNode& node, const FieldDescriptor* field, Message* message) {
    const EnumDescriptor* type = field->enum_type();
    const std::string prefix = EnumPrefix(type);
    std::vector<std::string> known;
    for (int i = 0; i < type->value_count(); ++i) {
      if (type->value(i)->number() == 0) continue;  // *_UNSPECIFIED
      const absl::string_view full_name = type->value(i)->name();
      known.push_back(absl::AsciiStrToLower(absl::StripPrefix(full_name, prefix)));
      if (node.kind == YamlNode::Kind::kScalar && node.text == known.back()) {
        StoreEnum(field, type->value(i)->number(), message);
        return "";
      }
    }
    const std::string nearest =
        node.kind == YamlNode::Kind::kScalar ? NearestWord(node.text, known) : "";
    return absl::StrCat("got ", Describe(node), ", ", Suggestion(nearest, known));
  }

  static void StoreEnum(const FieldDescriptor* field, int number, Message* message) {
    if (field->is_repeated()) {
      message->GetReflection()->AddEnumValue(message, field, number);
    } else {
      message->GetReflection()->SetEnumValue(message, field, number);
    }
  }

  SourcePositions* const positions_;
  std::vector<JobFileProblem>* const problems_;
};

}  // namespace

void YamlToProto(const YamlNode& root, Message* message, SourcePositions* positions,
                 std::vector<JobFileProblem>* problems) {
  positions->Add("", root.position);
  Converter(positions, problems).FillMessage(root, root.position, "", message);
}

}  // namespace lockstep::client
