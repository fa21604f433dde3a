#include "engine/model/text_generator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "engine/autograd/grad_mode.h"
#include "engine/model/build_model.h"

namespace lockstep {
namespace {

absl::StatusOr<data::TokenVocabulary> VocabularyOf(const v1::DataSummary& summary) {
  if (summary.vocabulary() == 0 || summary.example_shape_size() != 1) {
    return absl::InvalidArgumentError("the job's data: got numbers, want text (data.train.text)");
  }
  if (summary.characters().empty()) return data::TokenVocabulary::Bytes();
  return data::TokenVocabulary::OfCharacters(summary.characters(), "the job's characters");
}

// Puts the tensors into the model's parameters, by name.
absl::Status SetParameters(absl::Span<const data::NamedTensor> tensors, nn::Sequential* model) {
  std::map<std::string, Tensor> given;
  for (const data::NamedTensor& tensor : tensors) given[tensor.name] = tensor.tensor;
  for (nn::NamedParameter& parameter : model->NamedParameters()) {
    const auto found = given.find(parameter.name);
    const Shape& want = parameter.variable.shape();
    if (found == given.end() || found->second.shape() != want) {
      return absl::InvalidArgumentError(
          absl::StrCat("the model's tensor ", parameter.name, ": got ",
                       found == given.end() ? "none" : "shape " + found->second.shape().ToString(),
                       ", want shape ", want.ToString(), " as in the job's model"));
    }
    parameter.variable.SetValue(found->second);
    given.erase(found);
  }
  if (given.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the model's tensor ", given.begin()->first, " is not in the job's model"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TextGenerator>> TextGenerator::Create(
    const v1::JobSpec& spec, absl::Span<const data::NamedTensor> parameters,
    const SamplingOptions& options) {
  absl::StatusOr<data::TokenVocabulary> vocabulary = VocabularyOf(spec.data_summary());
  if (!vocabulary.ok()) return vocabulary.status();
  const int64_t context = spec.data_summary().example_shape(0);
  auto model = BuildModel(spec, Shape{context});
  if (!model.ok()) return model.status();
  absl::Status status = SetParameters(parameters, model->get());
  if (!status.ok()) return status;
  auto generator = absl::WrapUnique(new TextGenerator(*std::move(vocabulary), context, options));
  generator->model_ = *std::move(model);
  return generator;
}

absl::Status TextGenerator::Begin(absl::string_view prompt) {
  const auto tokens = vocabulary_.Encode(prompt, "prompt");
  if (!tokens.ok()) return tokens.status();
  if (tokens->empty()) {
    return absl::InvalidArgumentError("prompt: got nothing, want at least one character");
  }
  const size_t kept = std::min(tokens->size(), static_cast<size_t>(context_));
  tokens_.assign(tokens->end() - static_cast<int64_t>(kept), tokens->end());
  step_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<std::string> TextGenerator::Next() {
  const autograd::NoGradGuard no_grad;
  Tensor window = Tensor::Zeros({1, context_}, DType::kInt64);
  std::copy(tokens_.begin(), tokens_.end(), window.data<int64_t>());
  const autograd::Variable outputs = model_->Forward(autograd::Variable(window));
  const int64_t classes = outputs.dim(-1);
  const int64_t last = static_cast<int64_t>(tokens_.size()) - 1;
  const auto logits =
      outputs.value().span<float>().subspan(last * classes, std::min(classes, vocabulary_.size()));
  if (std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); })) {
    return absl::FailedPreconditionError("the model's output: got NaN, want numbers");
  }
  const int64_t token = SampleToken(logits, options_, step_++);
  if (static_cast<int64_t>(tokens_.size()) == context_) tokens_.erase(tokens_.begin());
  tokens_.push_back(token);
  return vocabulary_.Text(token);
}

}  // namespace lockstep
