#include "engine/model/layer_fields.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = LayerFieldRule::Kind;

// The widest layer.
constexpr double kMaxWidth = 1 << 24;

// 16777216 and not 1.67772e+07.
std::string NumberText(double number) {
  const bool whole = number == std::floor(number) && std::abs(number) < 1e15;
  return whole ? absl::StrCat(static_cast<int64_t>(number)) : absl::StrCat(number);
}

// Ways to write a row's second half.

LayerFieldRule Range(double least, double most, std::optional<double> otherwise = std::nullopt) {
  return {"", "", Kind::kRange, least, most, 0, 0, otherwise};
}
// A list. With a default an empty one becomes a list of that number.
LayerFieldRule Counts(double least, double most, int least_count, int most_count,
                      std::optional<double> otherwise = std::nullopt) {
  return {"", "", Kind::kRange, least, most, least_count, most_count, otherwise};
}
LayerFieldRule Flag(bool otherwise) {
  return {"", "", Kind::kFlag, 0, 0, 0, 0, otherwise ? 1.0 : 0.0};
}
LayerFieldRule Word(int otherwise) { return {"", "", Kind::kWord, 0, 0, 0, 0, otherwise}; }

struct Row {
  const char* message;
  const char* field;
  LayerFieldRule rule;
};

std::vector<Row> Rows() {
  return {
      {"Linear", "out_features", Range(1, kMaxWidth)},
      {"Linear", "bias", Flag(true)},
      {"Reshape", "shape", Counts(-1, kMaxWidth, 1, 8)},
      {"Repeat", "times", Range(1, kMaxLayers)},
      {"Mlp", "hidden", Counts(1, kMaxWidth, 0, 1000)},
      {"Mlp", "activation", Word(v1::ACTIVATION_RELU)},
      {"Mlp", "outputs", Range(1, kMaxWidth)},
  };
}

// By "Linear.out_features".
const std::map<std::string, LayerFieldRule>& Rules() {
  static const auto* const rules = [] {
    auto* made = new std::map<std::string, LayerFieldRule>();
    for (const Row& row : Rows()) {
      LayerFieldRule& rule = (*made)[absl::StrCat(row.message, ".", row.field)];
      rule = row.rule;
      rule.message = row.message;
      rule.field = row.field;
    }
    return made;
  }();
  return *rules;
}

bool HoldsLayers(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == v1::LayerChoice::descriptor();
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

// The chosen layer's message; null where none is chosen.
Message* ChosenLayer(v1::LayerChoice* layer) {
  const FieldDescriptor* chosen = layer->GetReflection()->GetOneofFieldDescriptor(
      *layer, v1::LayerChoice::descriptor()->oneof_decl(0));
  return chosen == nullptr ? nullptr : layer->GetReflection()->MutableMessage(layer, chosen);
}

// As deep as the message is, which whoever parsed it has limited.
void FillDefaults(v1::LayerChoice* layer) {
  Message* const message = ChosenLayer(layer);
  if (message == nullptr) return;
  const Descriptor& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (HoldsLayers(field)) {
      const int count = message->GetReflection()->FieldSize(*message, &field);
      for (int k = 0; k < count; ++k) {
        FillDefaults(static_cast<v1::LayerChoice*>(
            message->GetReflection()->MutableRepeatedMessage(message, &field, k)));
      }
      continue;
    }
    const LayerFieldRule* rule = FindLayerFieldRule(field);
    if (rule != nullptr && rule->otherwise.has_value() && IsUnset(field, *message)) {
      SetNumber(field, *rule->otherwise, message);
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
    const FieldDescriptor* chosen = layer.GetReflection()->GetOneofFieldDescriptor(
        layer, v1::LayerChoice::descriptor()->oneof_decl(0));
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
      } else if (const LayerFieldRule* rule = FindLayerFieldRule(field)) {
        CheckField(message, field, *rule, inner);
      }
    }
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

std::string LayerFieldRule::Wanted() const {
  if (kind == Kind::kPositive) return "a finite number > 0";
  if (kind == Kind::kFraction) return "0 <= it < 1";
  return kind == Kind::kRange ? absl::StrCat(NumberText(least), " to ", NumberText(most)) : "";
}

const LayerFieldRule* FindLayerFieldRule(const FieldDescriptor& field) {
  const auto found = Rules().find(absl::StrCat(field.containing_type()->name(), ".", field.name()));
  return found == Rules().end() ? nullptr : &found->second;
}

void FillLayerDefaults(v1::JobSpec* spec) {
  for (v1::LayerChoice& layer : *spec->mutable_model()) FillDefaults(&layer);
}

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

std::string LayerNames() {
  const Descriptor& type = *v1::LayerChoice::descriptor();
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

}  // namespace lockstep
