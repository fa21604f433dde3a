#include "engine/model/layer_fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = LayerFieldRule::Kind;

// One of several messages, such as a layer or an initializer.
bool IsChoice(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         absl::EndsWith(field.message_type()->name(), "Choice");
}

bool HoldsLayers(const FieldDescriptor& field) {
  return IsChoice(field) && field.message_type() == v1::LayerChoice::descriptor();
}

// The chosen message's field; null where none is chosen.
const FieldDescriptor* Chosen(const Message& choice) {
  return choice.GetReflection()->GetOneofFieldDescriptor(choice,
                                                         choice.GetDescriptor()->oneof_decl(0));
}

// "linear, relu, ...".
std::string FieldNames(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

// ---- Defaults.

void SetNumber(const FieldDescriptor& field, double value, Message* message) {
  const Reflection& reflection = *message->GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      list ? reflection.AddUInt32(message, &field, static_cast<uint32_t>(value))
           : reflection.SetUInt32(message, &field, static_cast<uint32_t>(value));
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      reflection.SetInt32(message, &field, static_cast<int32_t>(value));
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      reflection.SetFloat(message, &field, static_cast<float>(value));
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      reflection.SetBool(message, &field, value != 0);
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      reflection.SetEnumValue(message, &field, static_cast<int>(value));
      break;
    default:
      break;  // no field with a default has another type
  }
}

bool IsUnset(const FieldDescriptor& field, const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (field.is_repeated()) return reflection.FieldSize(message, &field) == 0;
  if (field.has_presence()) return !reflection.HasField(message, &field);
  return field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM &&
         reflection.GetEnumValue(message, &field) == 0;
}

// Of the chosen message. As deep as the message is, which whoever parsed it has limited.
void FillDefaults(Message* choice) {
  const FieldDescriptor* const chosen = Chosen(*choice);
  if (chosen == nullptr) return;
  Message* const message = choice->GetReflection()->MutableMessage(choice, chosen);
  const Reflection& reflection = *message->GetReflection();
  const Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsChoice(field) && field.is_repeated()) {
      const int count = reflection.FieldSize(*message, &field);
      for (int k = 0; k < count; ++k) {
        FillDefaults(reflection.MutableRepeatedMessage(message, &field, k));
      }
    } else if (IsChoice(field)) {
      if (!IsUnset(field, *message)) FillDefaults(reflection.MutableMessage(message, &field));
    } else {
      const LayerFieldRule* rule = FindLayerFieldRule(field);
      if (rule != nullptr && rule->otherwise.has_value() && IsUnset(field, *message)) {
        SetNumber(field, *rule->otherwise, message);
      }
    }
  }
}

// ---- Checks.

// The field's number, or the `index`-th of a list.
double NumberIn(const FieldDescriptor& field, const Message& message, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return list ? reflection.GetRepeatedUInt32(message, &field, index)
                  : reflection.GetUInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, &field);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(list ? reflection.GetRepeatedInt64(message, &field, index)
                                      : reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return list ? reflection.GetRepeatedFloat(message, &field, index)
                  : reflection.GetFloat(message, &field);
    default:
      return 0;  // no rule of numbers is about another type
  }
}

bool InRange(const LayerFieldRule& rule, double got) {
  if (rule.kind == Kind::kPositive) return std::isfinite(got) && got > 0;
  if (rule.kind == Kind::kFinite) return std::isfinite(got);
  if (rule.kind == Kind::kFraction) return got >= 0 && got < 1;
  return got >= rule.least && got <= rule.most;
}

class LayerChecker {
 public:
  // The layers that are the message's repeated `field`. `path`: of that field.
  // `repetitions`: of all layers around these, multiplied.
  void CheckLayers(const Message& message, const FieldDescriptor& field, const std::string& path,
                   int depth, int64_t repetitions) {
    const int count = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < count && !too_many_; ++i) {
      const Message& layer = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      CheckLayer(static_cast<const v1::LayerChoice&>(layer), absl::StrCat(path, "[", i, "]"), depth,
                 repetitions);
    }
  }

  std::vector<FieldProblem> Take() && { return std::move(problems_); }

 private:
  void Add(std::string path, std::string message) {
    problems_.push_back({std::move(path), std::move(message), ""});
  }
  template <typename T>
  void AddRange(std::string path, T got, std::string wanted) {
    std::string message = absl::StrCat("got ", got, ", want ", wanted);
    problems_.push_back({std::move(path), std::move(message), std::move(wanted)});
  }

  void CheckLayer(const v1::LayerChoice& layer, const std::string& path, int depth,
                  int64_t repetitions) {
    layers_ += repetitions;
    if (layers_ > kMaxLayers) {
      too_many_ = true;
      return Add(path, absl::StrCat("got more than ", kMaxLayers,
                                    " layers with repetitions, want at most ", kMaxLayers));
    }
    const FieldDescriptor* chosen = Chosen(layer);
    if (chosen == nullptr) return Add(path, absl::StrCat("missing, want a layer: ", LayerNames()));
    if (depth > kMaxLayerDepth) {
      return Add(path,
                 absl::StrCat("got layers nested ", depth, " deep, want at most ", kMaxLayerDepth));
    }
    const std::string inner = absl::StrCat(path, ".", chosen->name());
    if (layer.has_repeat()) {
      repetitions *= std::clamp<int64_t>(layer.repeat().times(), 1, kMaxLayers);
    }
    if (layer.has_custom() && layer.custom().name().empty()) {
      Add(inner + ".name", "missing, want the name of a layer that the programs were built with");
    }
    CheckFields(layer.GetReflection()->GetMessage(layer, chosen), inner, depth, repetitions);
  }

  void CheckFields(const Message& message, const std::string& path, int depth,
                   int64_t repetitions) {
    const Descriptor& type = *message.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const std::string inner = absl::StrCat(path, ".", field.name());
      if (HoldsLayers(field)) {
        const bool empty = message.GetReflection()->FieldSize(message, &field) == 0;
        if (empty && field.name() == "layers") Add(inner, "missing, want at least one layer");
        CheckLayers(message, field, inner, depth + 1, repetitions);
      } else if (IsChoice(field)) {
        if (!IsUnset(field, message)) {
          CheckChoice(message.GetReflection()->GetMessage(message, &field), inner);
        }
      } else if (const LayerFieldRule* rule = FindLayerFieldRule(field)) {
        CheckField(message, field, *rule, inner);
      }
    }
  }

  // Of one that holds no layers.
  void CheckChoice(const Message& choice, const std::string& path) {
    const FieldDescriptor* chosen = Chosen(choice);
    if (chosen == nullptr) {
      return Add(path, absl::StrCat("missing, want one of: ", FieldNames(*choice.GetDescriptor())));
    }
    CheckFields(choice.GetReflection()->GetMessage(choice, chosen),
                absl::StrCat(path, ".", chosen->name()), /*depth=*/0, /*repetitions=*/1);
  }

  void CheckField(const Message& message, const FieldDescriptor& field, const LayerFieldRule& rule,
                  const std::string& path) {
    if (rule.kind == Kind::kFlag) return;
    if (rule.kind == Kind::kWord) return CheckWord(message, field, path);
    if (!field.is_repeated()) {
      // Unset and optional without a default: unset means something.
      if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) return;
      const double got = NumberIn(field, message, 0);
      if (!InRange(rule, got)) AddRange(path, NumberText(got), rule.Wanted());
      return;
    }
    const int count = message.GetReflection()->FieldSize(message, &field);
    if (count < rule.least_count || count > rule.most_count) {
      return AddRange(path, absl::StrCat(count, " numbers"),
                      rule.least_count == rule.most_count
                          ? absl::StrCat(rule.most_count)
                          : absl::StrCat(rule.least_count, " to ", rule.most_count));
    }
    for (int i = 0; i < count; ++i) {
      const double got = NumberIn(field, message, i);
      if (!InRange(rule, got))
        AddRange(absl::StrCat(path, "[", i, "]"), NumberText(got), rule.Wanted());
    }
  }

  // A peer may send numbers that the enum does not have.
  void CheckWord(const Message& message, const FieldDescriptor& field, const std::string& path) {
    const int got = message.GetReflection()->GetEnumValue(message, &field);
    if (field.enum_type()->FindValueByNumber(got) == nullptr) {
      AddRange(path, got, absl::StrCat("a ", field.enum_type()->name()));
    }
  }

  std::vector<FieldProblem> problems_;
  int64_t layers_ = 0;
  bool too_many_ = false;
};

}  // namespace

void FillLayerDefaults(google::protobuf::RepeatedPtrField<v1::LayerChoice>* layers) {
  for (v1::LayerChoice& layer : *layers) FillDefaults(&layer);
}

void FillLayerDefaults(v1::JobSpec* spec) { FillLayerDefaults(spec->mutable_model()); }

std::vector<FieldProblem> CheckLayerFields(const v1::JobSpec& spec) {
  if (spec.model().empty()) return {{"model", "missing, want at least one layer", ""}};
  if (spec.model_size() > kMaxLayers) {
    const std::string wanted = absl::StrCat("at most ", kMaxLayers);
    return {{"model", absl::StrCat("got ", spec.model_size(), " layers, want ", wanted), wanted}};
  }
  LayerChecker checker;
  checker.CheckLayers(spec, *v1::JobSpec::descriptor()->FindFieldByName("model"), "model",
                      /*depth=*/1, /*repetitions=*/1);
  return std::move(checker).Take();
}

std::string LayerNames() { return FieldNames(*v1::LayerChoice::descriptor()); }

}  // namespace lockstep
