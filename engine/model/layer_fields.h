// Defaults and ranges of the layers' fields: one table (layer_field_rules.cc), by
// which layers are completed, checked at any depth and documented (a test holds
// it against job.proto's comments). What must fit the data or another layer is
// the business of layer_builder.h.
#ifndef LOCKSTEP_ENGINE_MODEL_LAYER_FIELDS_H_
#define LOCKSTEP_ENGINE_MODEL_LAYER_FIELDS_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/repeated_ptr_field.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/job_spec.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// More layers than this, repetitions multiplied out, are refused: an honest
// model has hundreds, and a hostile one of a few bytes would have billions.
inline constexpr int64_t kMaxLayers = 10000;
// Layers within layers, the outermost counted: within YAML's and protobuf's own limits.
inline constexpr int kMaxLayerDepth = 8;

struct LayerFieldRule {
  const char* message;  // "Linear"
  const char* field;
  enum class Kind {
    kRange,     // least to most; a list: each of its numbers
    kPositive,  // a finite number > 0
    kFinite,    // any number but infinities and NaN
    kFraction,  // 0 <= it < 1
    kFlag,
    kWord,  // an enum
  } kind;
  double least = 0;
  double most = 0;
  // How many numbers a list has.
  int least_count = 0;
  int most_count = 0;
  // Of an enum: the value's number. Nothing: required, or what else unset means.
  std::optional<double> otherwise;

  // "1 to 16777216"; empty for flags and enums.
  std::string Wanted() const;
};

// Null: the field needs no rule (text, further layers) or is no layer's.
const LayerFieldRule* FindLayerFieldRule(const google::protobuf::FieldDescriptor& field);

// 16777216 and not 1.67772e+07.
std::string NumberText(double number);

// Sets every default explicitly, at every depth.
void FillLayerDefaults(google::protobuf::RepeatedPtrField<v1::LayerChoice>* layers);
void FillLayerDefaults(v1::JobSpec* spec);

// What is wrong with spec.model, in its order. Requires: defaults filled in.
std::vector<FieldProblem> CheckLayerFields(const v1::JobSpec& spec);

// The names of all layers: "linear, relu, ...".
std::string LayerNames();

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_LAYER_FIELDS_H_
