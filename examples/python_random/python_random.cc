#include "examples/python_random/python_random.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lockstep::examples {
namespace {

constexpr size_t kWords = 624;

// What std::mt19937 asks for its state: init_by_array of one word.
class InitByArray {
 public:
  using result_type = uint32_t;

  explicit InitByArray(uint32_t key) : key_(key) {}

  template <class Iterator>
  void generate(Iterator begin, Iterator end) const {
    std::vector<uint32_t> state(kWords);
    state[0] = 19650218u;
    for (size_t i = 1; i < kWords; ++i) {
      state[i] = 1812433253u * (state[i - 1] ^ state[i - 1] >> 30) + static_cast<uint32_t>(i);
    }
    size_t i = 1;
    const auto mix = [&](uint32_t factor, uint32_t summand) {
      state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >> 30) * factor) + summand;
      if (++i < kWords) return;
      state[0] = state[kWords - 1];
      i = 1;
    };
    for (size_t round = 0; round < kWords; ++round) mix(1664525u, key_);
    for (size_t round = 1; round < kWords; ++round) mix(1566083941u, 0u - static_cast<uint32_t>(i));
    state[0] = 0x80000000u;
    std::copy(state.begin(), state.end(), begin);
    std::fill(begin + kWords, end, 0u);
  }

 private:
  const uint32_t key_;
};

std::mt19937 Seeded(uint32_t seed) {
  InitByArray words(seed);
  return std::mt19937(words);
}

}  // namespace

PythonRandom::PythonRandom(uint32_t seed) : words_(Seeded(seed)) {}

double PythonRandom::Random() {
  const uint32_t high = static_cast<uint32_t>(words_()) >> 5;
  const uint32_t low = static_cast<uint32_t>(words_()) >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

}  // namespace lockstep::examples
