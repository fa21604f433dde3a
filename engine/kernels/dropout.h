// Dropout: elements set to zero by chance, where the chance is a function of the
// element's place (Philox), so that it needs no memory and no order.
// Source: Srivastava and others, JMLR 2014.
#ifndef LOCKSTEP_ENGINE_KERNELS_DROPOUT_H_
#define LOCKSTEP_ENGINE_KERNELS_DROPOUT_H_

#include <cstdint>

namespace lockstep::kernels {

// Which random numbers a dropout takes.
struct DropoutPlace {
  uint64_t key = 0;            // the job's seed
  uint64_t step = 0;           // optimizer steps done before
  uint64_t first_example = 0;  // row r is example first_example + r
  uint64_t layer = 0;          // below 1024: the how-manyeth random layer of the pass
};

// Shapes: x, y [examples, size]. Order, element e of row r: word =
// RandomWord(key, kDropout, step, first_example + r, layer * 2^32 + e); y = x *
// (1 / (1 - probability)) where UniformFloat(word) >= probability, else +0.
// The gradient is the same function of the upstream gradient. y may be x.
// Requires: 0 <= probability <= 1, size <= 2^32.
void Dropout(const DropoutPlace& place, int64_t examples, int64_t size, float probability,
             const float* x, float* y);

// The same on float64 (with the same elements dropped), by plain loops.
void Dropout(const DropoutPlace& place, int64_t examples, int64_t size, float probability,
             const double* x, double* y);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_DROPOUT_H_
