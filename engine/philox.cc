#include "engine/philox.h"

#include <cstddef>

namespace lockstep {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53;
constexpr uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9;  // golden ratio
constexpr uint32_t kWeyl1 = 0xBB67AE85;  // sqrt(3) - 1
constexpr int kRounds = 10;

std::array<uint32_t, 4> BlockAt(uint64_t key, RandomStream stream, uint64_t step, uint64_t example,
                                uint64_t block) {
  const uint32_t high_bits = (static_cast<uint32_t>(block >> 32) & 0xFF) |
                             (static_cast<uint32_t>(example >> 32) & 0xFF) << 8 |
                             (static_cast<uint32_t>(step >> 32) & 0xFFF) << 16 |
                             static_cast<uint32_t>(stream) << 28;
  return Philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(example),
                     static_cast<uint32_t>(step), high_bits},
                    {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = uint64_t{kMultiplier0} * counter[0];
    const uint64_t product1 = uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

uint32_t RandomWord(uint64_t key, RandomStream stream, uint64_t step, uint64_t example,
                    uint64_t element) {
  return BlockAt(key, stream, step, example, element / 4)[element % 4];
}

void FillUniform(uint64_t key, RandomStream stream, uint64_t step, uint64_t example,
                 uint64_t first_element, absl::Span<float> out) {
  size_t done = 0;
  while (done < out.size()) {
    const uint64_t element = first_element + done;
    const std::array<uint32_t, 4> block = BlockAt(key, stream, step, example, element / 4);
    for (size_t word = element % 4; word < 4 && done < out.size(); ++word, ++done) {
      out[done] = UniformFloat(block[word]);
    }
  }
}

}  // namespace lockstep
