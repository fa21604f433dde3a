#include "engine/model/token_sampler.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/check.h"
#include "engine/kernels/transcendental.h"
#include "engine/philox.h"

namespace lockstep {
namespace {

// Whether each logit is one of the `top_k` greatest.
std::vector<bool> KeptOf(absl::Span<const float> logits, int64_t top_k) {
  const int64_t size = static_cast<int64_t>(logits.size());
  std::vector<bool> kept(logits.size(), top_k == 0 || top_k >= size);
  if (kept[0]) return kept;
  std::vector<int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return logits[a] > logits[b]; });
  for (int64_t i = 0; i < top_k; ++i) kept[order[i]] = true;
  return kept;
}

}  // namespace

int64_t SampleToken(absl::Span<const float> logits, const SamplingOptions& options, uint64_t step) {
  LOCKSTEP_CHECK(!logits.empty(), "a token to choose");
  const int64_t greatest = std::max_element(logits.begin(), logits.end()) - logits.begin();
  if (options.temperature == 0) return greatest;
  const std::vector<bool> kept = KeptOf(logits, options.top_k);
  const float maximum = logits[greatest] / options.temperature;
  std::vector<float> weights(logits.size());
  double sum = 0;
  for (size_t c = 0; c < logits.size(); ++c) {
    weights[c] = kept[c] ? kernels::Exp(logits[c] / options.temperature - maximum) : 0.0f;
    sum += static_cast<double>(weights[c]);
  }
  const uint32_t word = RandomWord(options.seed, RandomStream::kTextSampling, step, 0, 0);
  const double threshold = sum * static_cast<double>(UniformFloat(word));
  double running = 0;
  for (size_t c = 0; c < logits.size(); ++c) {
    running += static_cast<double>(weights[c]);
    if (running > threshold) return static_cast<int64_t>(c);
  }
  return greatest;  // an infinite logit: its weight is NaN
}

}  // namespace lockstep
