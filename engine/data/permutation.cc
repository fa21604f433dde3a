#include "engine/data/permutation.h"

#include "engine/check.h"

namespace lockstep::data {
namespace {

// Feistel's round function: 64 bits in which every bit of `half` counts (the
// finalizer of MurmurHash3, Appleby 2011). Its lowest bits are used.
uint64_t Mix(uint64_t half, uint64_t round_key) {
  uint64_t bits = half ^ round_key;
  bits = (bits ^ (bits >> 33)) * 0xff51afd7ed558ccd;
  bits = (bits ^ (bits >> 33)) * 0xc4ceb9fe1a85ec53;
  return bits ^ (bits >> 33);
}

int HalfBits(uint64_t size) {
  int half_bits = 0;
  while (half_bits < 32 && size > (uint64_t{1} << (2 * half_bits))) ++half_bits;
  return half_bits;
}

}  // namespace

// Round r's key is made of the words 2r (low) and 2r + 1 (high) of the stream at
// step = epoch, example = 0.
Permutation::Permutation(uint64_t size, uint64_t key, RandomStream stream, uint64_t epoch)
    : size_(size), half_bits_(HalfBits(size)) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t low = RandomWord(key, stream, epoch, 0, 2 * round);
    const uint64_t high = RandomWord(key, stream, epoch, 0, 2 * round + 1);
    round_keys_[round] = low | high << 32;
  }
}

// (left, right) becomes (right, left ^ Mix(right)) in each round.
uint64_t Permutation::Encrypt(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_;
  uint64_t right = value & mask;
  for (uint64_t round_key : round_keys_) {
    const uint64_t next = left ^ (Mix(right, round_key) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

uint64_t Permutation::operator()(uint64_t position) const {
  LOCKSTEP_CHECK(position < size_, "a position of the permutation");
  uint64_t value = Encrypt(position);
  while (value >= size_) value = Encrypt(value);
  return value;
}

}  // namespace lockstep::data
