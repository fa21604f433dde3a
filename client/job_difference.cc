#include "client/job_difference.h"

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/model/job_identity.h"

namespace lockstep::client {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using SpecificField = MessageDifferencer::SpecificField;

class Collector : public MessageDifferencer::Reporter {
 public:
  std::vector<FieldDifference> Take() { return std::move(differences_); }

  void ReportAdded(const Message&, const Message& right,
                   const std::vector<SpecificField>& path) override {
    differences_.push_back({Path(path), "", Value(right, path, /*right=*/true)});
  }
  void ReportDeleted(const Message& left, const Message&,
                     const std::vector<SpecificField>& path) override {
    differences_.push_back({Path(path), Value(left, path, /*right=*/false), ""});
  }
  void ReportModified(const Message& left, const Message& right,
                      const std::vector<SpecificField>& path) override {
    // Of a message: its fields have been reported.
    if (path.back().field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return;
    differences_.push_back(
        {Path(path), Value(left, path, /*right=*/false), Value(right, path, /*right=*/true)});
  }

 private:
  static std::string Path(const std::vector<SpecificField>& path) {
    std::string text;
    for (const SpecificField& part : path) {
      absl::StrAppend(&text, text.empty() ? "" : ".", part.field->name());
      if (part.field->is_repeated()) {
        absl::StrAppend(&text, "[", part.index >= 0 ? part.index : part.new_index, "]");
      }
    }
    return text;
  }

  // The value at the path's end; `message` is what contains it.
  static std::string Value(const Message& message, const std::vector<SpecificField>& path,
                           bool right) {
    const FieldDescriptor* field = path.back().field;
    const int index = right ? path.back().new_index : path.back().index;
    std::string text;
    google::protobuf::TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    printer.PrintFieldValueToString(message, field, field->is_repeated() ? index : -1, &text);
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text.empty() ? "all defaults" : text;
  }

  std::vector<FieldDifference> differences_;
};

bool ChangesUpdates(const std::string& field) {
  for (const char* prefix :
       {"optimizer", "learning_rate_schedule", "gradient_clipping", "parameter_groups", "ema",
        "consistency.local_sgd.outer", "epochs", "steps"}) {
    if (absl::StartsWith(field, prefix)) return true;
  }
  return false;
}

}  // namespace

std::vector<FieldDifference> CompareJobs(const v1::JobSpec& left, const v1::JobSpec& right) {
  Collector collector;
  MessageDifferencer differencer;
  differencer.ReportDifferencesTo(&collector);
  differencer.Compare(WithoutWhatChangesNoBit(left), WithoutWhatChangesNoBit(right));
  return collector.Take();
}

std::vector<FieldDifference> Explaining(const std::vector<FieldDifference>& differences,
                                        PartingPlace place) {
  std::vector<FieldDifference> explaining;
  for (const FieldDifference& difference : differences) {
    const bool update = ChangesUpdates(difference.field);
    if (place == PartingPlace::kUnknown || update == (place == PartingPlace::kUpdate)) {
      explaining.push_back(difference);
    }
  }
  return explaining;
}

}  // namespace lockstep::client
