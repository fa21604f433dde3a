// Writes text with a trained language model.
#ifndef LOCKSTEP_ENGINE_MODEL_TEXT_GENERATOR_H_
#define LOCKSTEP_ENGINE_MODEL_TEXT_GENERATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/data/named_tensor.h"
#include "engine/data/token_vocabulary.h"
#include "engine/model/token_sampler.h"
#include "engine/nn/sequential.h"
#include "lockstep/v1/job.pb.h"

namespace lockstep {

// Threads: one at a time.
class TextGenerator {
 public:
  // `spec`: a job on text, with its data_summary; `parameters`: its model's, as
  // `lockstep train` writes them. Errors: InvalidArgument: the job's data is no
  // text, a tensor is missing, too many or of another shape; those of BuildModel.
  static absl::StatusOr<std::unique_ptr<TextGenerator>> Create(
      const v1::JobSpec& spec, absl::Span<const data::NamedTensor> parameters,
      const SamplingOptions& options);

  // Begins a text. Errors: InvalidArgument: it is empty, or has a character that
  // the training text did not have (which, and where).
  absl::Status Begin(absl::string_view prompt);

  // The text of the next token, in view of the last `context` ones. The model
  // always sees a whole window: behind a text that is shorter stand tokens 0,
  // which a causal model's output at the text's last token does not depend on.
  // Requires: Begin was called. Errors: FailedPrecondition: the model gives NaN.
  absl::StatusOr<std::string> Next();

 private:
  TextGenerator(data::TokenVocabulary vocabulary, int64_t context, SamplingOptions options)
      : vocabulary_(std::move(vocabulary)), context_(context), options_(options) {}

  const data::TokenVocabulary vocabulary_;
  const int64_t context_;
  const SamplingOptions options_;
  std::shared_ptr<nn::Sequential> model_;
  std::vector<int64_t> tokens_;  // the window's, at most context_
  uint64_t step_ = 0;
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_TEXT_GENERATOR_H_
