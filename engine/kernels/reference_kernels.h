// The definition of every kernel: the naive scalar twin, one plain loop after
// another, with the names and contracts of matmul.h, elementwise.h, reduce.h,
// cross_entropy.h and optimizer_update.h. The fast kernels must be equal to it
// in every bit, except in a NaN's sign and payload, which IEEE-754 leaves open.
// The scalar functions of transcendental.h are their own definition.
#ifndef LOCKSTEP_ENGINE_KERNELS_REFERENCE_KERNELS_H_
#define LOCKSTEP_ENGINE_KERNELS_REFERENCE_KERNELS_H_

#include <cstdint>

#include "absl/types/span.h"
#include "engine/kernels/elementwise.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/optimizer_update.h"

namespace lockstep::kernels::reference {

void Matmul(int64_t m, int64_t n, int64_t k, MatmulOperand a, MatmulOperand b, const float* bias,
            Activation activation, float* c);
void MatmulShardTree(int64_t m, int64_t n, absl::Span<const int64_t> cuts, const float* a,
                     const float* b, float* c);

void Unary(UnaryOp op, int64_t size, const float* x, float* out);
void Binary(BinaryOp op, int64_t size, const float* a, const float* b, float* out);
void BinaryScalarRight(BinaryOp op, int64_t size, const float* a, float s, float* out);
void BinaryScalarLeft(BinaryOp op, int64_t size, float s, const float* b, float* out);
void BinaryRow(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* row,
               float* out);
void BinaryColumn(BinaryOp op, int64_t rows, int64_t columns, const float* a, const float* column,
                  float* out);
void ActivationBackward(ActivationGradient op, int64_t size, const float* dy, const float* y,
                        float* out);
void Power(int64_t size, const float* x, float exponent, float* out);

void SumRows(int64_t rows, int64_t columns, const float* x, float* out);
void SumColumns(int64_t rows, int64_t columns, const float* x, float* out);
void SumColumnsShardTree(int64_t columns, absl::Span<const int64_t> cuts, const float* x,
                         float* out);

void SoftmaxCrossEntropy(int64_t rows, int64_t classes, const float* logits, const int64_t* labels,
                         float* losses, float* probabilities, int64_t* predictions);
void SoftmaxCrossEntropyBackward(int64_t rows, int64_t classes, const float* probabilities,
                                 const int64_t* labels, const float* scale, float* dlogits);

void SgdUpdate(const SgdStep& step, absl::Span<const float> gradient_sum,
               absl::Span<const float> parameter, absl::Span<float> velocity,
               absl::Span<float> new_parameter);
void AdamUpdate(const AdamStep& step, absl::Span<const float> gradient_sum,
                absl::Span<const float> parameter, absl::Span<float> first_moment,
                absl::Span<float> second_moment, absl::Span<float> new_parameter);
void AddInPlace(absl::Span<float> sum, absl::Span<const float> other);

}  // namespace lockstep::kernels::reference

#endif  // LOCKSTEP_ENGINE_KERNELS_REFERENCE_KERNELS_H_
