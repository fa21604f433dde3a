// What class weights and label smoothing make of the softmax cross entropy that
// cross_entropy.h computes.
#ifndef LOCKSTEP_ENGINE_KERNELS_WEIGHTED_CROSS_ENTROPY_H_
#define LOCKSTEP_ENGINE_KERNELS_WEIGHTED_CROSS_ENTROPY_H_

#include <cstdint>

namespace lockstep::kernels {

// Shapes: logits [rows, classes], labels [rows], weights [classes] or null: 1
// for every class; losses [rows]: SoftmaxCrossEntropy's, in and out.
// Order, per row: n[c] = (loss + (logit[label] - logit[c])) * weight[c], at the label
// loss * weight: each class's weighted negative log-likelihood; on = 1 - smoothing, off =
// smoothing / classes; the new loss is n[label] where smoothing is 0, else
// (on * n[label]) + (off * SumRows(n)).
// Requires: 0 <= labels[r] < classes, 0 <= smoothing <= 1.
void WeightCrossEntropy(int64_t rows, int64_t classes, const float* logits, const int64_t* labels,
                        const float* weights, float smoothing, float* losses);
void WeightCrossEntropy(int64_t rows, int64_t classes, const double* logits, const int64_t* labels,
                        const double* weights, double smoothing, double* losses);

// Shapes: probabilities [rows, classes], scale [rows], dlogits [rows, classes],
// which may be probabilities.
// Order, per row: on, off as above; q[c] = off * weight[c], and at the label
// (off * weight) + (on * weight); W = (on * weight[label]) +
// (off * SumRows(weight)); dlogits[c] = ((probability[c] * W) - q[c]) * scale.
void WeightedCrossEntropyBackward(int64_t rows, int64_t classes, const float* probabilities,
                                  const int64_t* labels, const float* weights, float smoothing,
                                  const float* scale, float* dlogits);
void WeightedCrossEntropyBackward(int64_t rows, int64_t classes, const double* probabilities,
                                  const int64_t* labels, const double* weights, double smoothing,
                                  const double* scale, double* dlogits);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_WEIGHTED_CROSS_ENTROPY_H_
