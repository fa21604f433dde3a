// FillJobDefaults of job_spec.h: the defaults of job.proto's comments.
#include "engine/model/field_default.h"
#include "engine/model/job_spec.h"
#include "engine/model/layer_fields.h"
#include "engine/model/optimizer_spec.h"

namespace lockstep {
namespace {

constexpr uint32_t kDefaultShards = 8;
constexpr uint64_t kDefaultDigestInterval = 16;

void FillText(v1::TextSource* text) {
  if (text->tokens().tokens_case() == v1::TokensChoice::TOKENS_NOT_SET) {
    text->mutable_tokens()->mutable_characters();
  }
  LOCKSTEP_DEFAULT(text, stride, text->context());
  LOCKSTEP_DEFAULT(text, from, 0.0);
  LOCKSTEP_DEFAULT(text, to, 1.0);
}

void FillSource(v1::SourceChoice* source) {
  if (source->has_text()) FillText(source->mutable_text());
  if (!source->has_csv()) return;
  v1::CsvSource* csv = source->mutable_csv();
  LOCKSTEP_DEFAULT(csv, header, false);
  if (csv->label_column().empty() && csv->label_columns().empty()) csv->set_label_column("-1");
}

void FillLoss(v1::LossChoice* loss) {
  if (loss->has_cross_entropy()) {
    LOCKSTEP_DEFAULT(loss->mutable_cross_entropy(), label_smoothing, 0.0f);
  } else if (loss->has_huber()) {
    LOCKSTEP_DEFAULT(loss->mutable_huber(), delta, 1.0f);
  } else if (loss->has_bce_with_logits()) {
    LOCKSTEP_DEFAULT(loss->mutable_bce_with_logits(), pos_weight, 1.0f);
  }
}

void FillData(v1::Data* data) {
  if (data->has_train()) FillSource(data->mutable_train());
  if (data->has_validation()) FillSource(data->mutable_validation());
  if (!data->has_validation()) LOCKSTEP_DEFAULT(data, validation_fraction, 0.0);
  v1::Scaling* scaling = data->mutable_scaling();
  LOCKSTEP_DEFAULT(scaling, divide_by, 1.0f);
  LOCKSTEP_DEFAULT(scaling, mean, 0.0f);
  LOCKSTEP_DEFAULT(scaling, standard_deviation, 1.0f);
}

void FillConsistency(v1::ConsistencyChoice* choice) {
  if (choice->consistency_case() == v1::ConsistencyChoice::CONSISTENCY_NOT_SET) {
    choice->mutable_sync();
  }
  if (!choice->has_local_sgd()) return;
  v1::OuterChoice* outer = choice->mutable_local_sgd()->mutable_outer();
  if (outer->outer_case() == v1::OuterChoice::OUTER_NOT_SET) outer->mutable_nesterov();
  if (!outer->has_nesterov()) return;
  LOCKSTEP_DEFAULT(outer->mutable_nesterov(), learning_rate, 0.7f);
  LOCKSTEP_DEFAULT(outer->mutable_nesterov(), momentum, 0.9f);
}

}  // namespace

void FillJobDefaults(v1::JobSpec* spec) {
  FillData(spec->mutable_data());
  FillLayerDefaults(spec);
  if (spec->has_loss()) FillLoss(spec->mutable_loss());
  FillTrainingDefaults(spec);
  LOCKSTEP_DEFAULT(spec, shards, kDefaultShards);
  LOCKSTEP_DEFAULT(spec, shuffle, true);
  if (spec->gradient_format() == v1::GRADIENT_FORMAT_UNSPECIFIED) {
    spec->set_gradient_format(v1::GRADIENT_FORMAT_FLOAT32);
  }
  LOCKSTEP_DEFAULT(spec->mutable_workers(), min, 1);
  LOCKSTEP_DEFAULT(spec->mutable_workers(), max, spec->shards());
  LOCKSTEP_DEFAULT(spec->mutable_checkpoint(), interval_steps, 0);
  LOCKSTEP_DEFAULT(spec, priority, 0);
  LOCKSTEP_DEFAULT(spec, retries, 0);
  LOCKSTEP_DEFAULT(spec->mutable_tensor_digests(), interval_steps, kDefaultDigestInterval);
  LOCKSTEP_DEFAULT(spec->mutable_tensor_digests(), shards, false);
  FillConsistency(spec->mutable_consistency());
}

}  // namespace lockstep
