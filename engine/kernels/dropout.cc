#include "engine/kernels/dropout.h"

#include <cmath>

#include "engine/kernels/highway_targets.h"
#include "engine/philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/dropout.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h, which sets what they are compiled for.
#include "engine/kernels/vectors-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::kernels {
namespace HWY_NAMESPACE {

// Elements [begin, end) of one example, word by word.
HWY_INLINE void DropoutElements(const DropoutPlace& place, uint64_t example, int64_t begin,
                                int64_t end, uint32_t threshold, float scale, const float* x,
                                float* y) {
  for (int64_t e = begin; e < end; ++e) {
    const uint32_t word = RandomWord(place.key, RandomStream::kDropout, place.step, example,
                                     (place.layer << 32) + static_cast<uint64_t>(e));
    y[e] = (word >> 8) >= threshold ? x[e] * scale : 0.0f;
  }
}

#if HWY_TARGET == HWY_SCALAR

void DropoutRun(const DropoutPlace& place, uint64_t example, int64_t size, uint32_t threshold,
                float scale, const float* x, float* y) {
  DropoutElements(place, example, 0, size, threshold, scale, x, y);
}

#else

using Word64Tag = hn::ScalableTag<uint64_t>;
using Word64Vector = hn::Vec<Word64Tag>;

// factor * the lower half of each lane; what stands above is ignored, so words
// need no masking between the rounds.
HWY_INLINE Word64Vector MultiplyLow(Word64Vector word, uint32_t factor) {
  const hn::Repartition<uint32_t, Word64Tag> d32;
  return hn::MulEven(hn::BitCast(d32, word), hn::Set(d32, factor));
}

// Philox4x32-10 (engine/philox.h) on one block per 64-bit lane.
HWY_INLINE void PhiloxRounds(uint64_t key, Word64Vector& c0, Word64Vector& c1, Word64Vector& c2,
                             Word64Vector& c3) {
  const Word64Tag d;
  uint32_t key0 = static_cast<uint32_t>(key);
  uint32_t key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const auto product0 = MultiplyLow(c0, 0xD2511F53);
    const auto product1 = MultiplyLow(c2, 0xCD9E8D57);
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product1), c1), hn::Set(d, uint64_t{key0}));
    c1 = product1;
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), c3), hn::Set(d, uint64_t{key1}));
    c3 = product0;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

// One vector of words decides on one vector of elements.
HWY_INLINE void DropVector(Word64Vector words, int32_t threshold, float scale, const float* x,
                           float* y) {
  const FloatTag d;
  const hn::RebindToSigned<FloatTag> di;
  const hn::RebindToUnsigned<FloatTag> du;
  const auto uniform = hn::BitCast(di, hn::ShiftRight<8>(hn::BitCast(du, words)));
  const auto kept = hn::RebindMask(d, hn::Gt(uniform, hn::Set(di, threshold - 1)));
  hn::StoreU(hn::IfThenElseZero(kept, hn::Mul(hn::LoadU(d, x), hn::Set(d, scale))), d, y);
}

void DropoutRun(const DropoutPlace& place, uint64_t example, int64_t size, uint32_t threshold,
                float scale, const float* x, float* y) {
  const Word64Tag d;
  const int64_t blocks = static_cast<int64_t>(hn::Lanes(d));
  const int64_t half = 2 * blocks;  // elements of one vector; a step makes two
  // Lane 2j has block j and lane 2j + 1 block j + blocks / 2: interleaved within
  // 128 bits, the words then come in the order of the elements.
  const auto lane = hn::Iota(d, 0);
  const auto odd = hn::And(lane, hn::Set(d, uint64_t{1}));
  const auto upper = hn::And(hn::Sub(hn::Zero(d), odd), hn::Set(d, uint64_t(blocks) / 2));
  const auto offset = hn::Add(hn::ShiftRight<1>(lane), upper);
  const uint64_t first_block = place.layer << 30;
  const uint64_t high_bits = ((first_block >> 32) & 0xFF) | ((example >> 32) & 0xFF) << 8 |
                             ((place.step >> 32) & 0xFFF) << 16 |
                             uint64_t{static_cast<uint32_t>(RandomStream::kDropout)} << 28;
  const auto low_word = hn::Set(d, uint64_t{0xFFFFFFFF});
  int64_t e = 0;
  for (; e + 2 * half <= size; e += 2 * half) {
    auto c0 = hn::Add(hn::Set(d, first_block + static_cast<uint64_t>(e) / 4), offset);
    auto c1 = hn::Set(d, example);
    auto c2 = hn::Set(d, place.step);
    auto c3 = hn::Set(d, high_bits);
    PhiloxRounds(place.key, c0, c1, c2, c3);
    const auto words01 = hn::Or(hn::And(c0, low_word), hn::ShiftLeft<32>(c1));
    const auto words23 = hn::Or(hn::And(c2, low_word), hn::ShiftLeft<32>(c3));
    const int32_t least = static_cast<int32_t>(threshold);
    DropVector(hn::InterleaveLower(d, words01, words23), least, scale, x + e, y + e);
    DropVector(hn::InterleaveUpper(d, words01, words23), least, scale, x + e + half, y + e + half);
  }
  DropoutElements(place, example, e, size, threshold, scale, x, y);
}

#endif  // HWY_TARGET

}  // namespace HWY_NAMESPACE
}  // namespace lockstep::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "engine/check.h"
#include "engine/kernels/parallel.h"
#include "engine/kernels/reference/dropout.h"

namespace lockstep::kernels {
HWY_EXPORT(DropoutRun);

namespace {

void CheckPlace(const DropoutPlace& place, int64_t size, float probability) {
  LOCKSTEP_CHECK(probability >= 0.0f && probability <= 1.0f, "dropout: want a probability");
  LOCKSTEP_CHECK(size <= int64_t{1} << 32, "dropout: an example has more than 2^32 elements");
  LOCKSTEP_CHECK(place.layer < 1024, "dropout: more than 1024 random layers");
}

}  // namespace

void Dropout(const DropoutPlace& place, int64_t examples, int64_t size, float probability,
             const float* x, float* y) {
  CheckPlace(place, size, probability);
  // The least of the 24-bit numbers that are kept: exact.
  const auto threshold = static_cast<uint32_t>(std::ceil(double{probability} * 16777216.0));
  const float scale = 1.0f / (1.0f - probability);
  ParallelRows(examples, size, [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      HWY_DYNAMIC_DISPATCH(DropoutRun)
      (place, place.first_example + static_cast<uint64_t>(r), size, threshold, scale, x + r * size,
       y + r * size);
    }
  });
}

void Dropout(const DropoutPlace& place, int64_t examples, int64_t size, float probability,
             const double* x, double* y) {
  CheckPlace(place, size, probability);
  reference::Dropout(place, examples, size, probability, x, y);
}

}  // namespace lockstep::kernels
#endif  // HWY_ONCE
