// Chooses the next token of a text that a language model writes.
#ifndef LOCKSTEP_ENGINE_MODEL_TOKEN_SAMPLER_H_
#define LOCKSTEP_ENGINE_MODEL_TOKEN_SAMPLER_H_

#include <cstdint>

#include "absl/types/span.h"

namespace lockstep {

struct SamplingOptions {
  // Divides the logits: below 1 the likely becomes likelier. 0: always the
  // greatest logit. >= 0 and finite.
  float temperature = 1;
  // Only the so many greatest logits are drawn from, of equal ones the first.
  // 0: all.
  int64_t top_k = 0;
  uint64_t seed = 0;
};

// The token drawn at `step` of the text, from 0: a function of its arguments, the
// same on every machine. With temperature 0 the first greatest logit. Otherwise
// Order: z = logit / temperature; m the greatest z; w[c] = Exp(z[c] - m), 0 for
// what top_k leaves out; s = the float64 sum of w, ascending; u = s times the
// uniform number (kTextSampling, step, example 0, element 0) of the seed; the
// first token whose running sum, as s, is above u.
// Requires: at least one logit, none NaN.
int64_t SampleToken(absl::Span<const float> logits, const SamplingOptions& options, uint64_t step);

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_TOKEN_SAMPLER_H_
