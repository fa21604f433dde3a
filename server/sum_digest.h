// A digest of a sum's bits, to compare two workers' answers without keeping
// either. Against faults, not against forgery: two sums that differ in one
// 8-byte word never have the same digest, others do by chance once in 2^64.
#ifndef LOCKSTEP_SERVER_SUM_DIGEST_H_
#define LOCKSTEP_SERVER_SUM_DIGEST_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lockstep::server {

// Order: word i goes into lane i mod 4, each step a bijection of the lane; four
// lanes keep the multipliers busy.
inline uint64_t SumDigest(const void* data, size_t size_bytes) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15u;  // 2^64 over the golden ratio
  const auto step = [](uint64_t lane, uint64_t word) {
    // Twice: a product's highest bit depends on the factor's highest bit alone.
    uint64_t mixed = (lane ^ word) * kOdd;
    mixed = (mixed ^ (mixed >> 32)) * kOdd;
    return mixed ^ (mixed >> 29);
  };
  const char* bytes = static_cast<const char*>(data);
  uint64_t lanes[4] = {1, 2, 3, 4};
  size_t left = size_bytes;
  for (; left >= 32; left -= 32, bytes += 32) {
    uint64_t words[4];
    std::memcpy(words, bytes, 32);
    for (int i = 0; i < 4; ++i) lanes[i] = step(lanes[i], words[i]);
  }
  uint64_t words[4] = {0, 0, 0, 0};
  std::memcpy(words, bytes, left);
  uint64_t digest = size_bytes;
  for (int i = 0; i < 4; ++i) digest = step(digest, step(lanes[i], words[i]));
  return digest;
}

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SUM_DIGEST_H_
