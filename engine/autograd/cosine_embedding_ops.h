// Draws vectors together or apart by the angle between them.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_COSINE_EMBEDDING_OPS_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_COSINE_EMBEDDING_OPS_H_

#include "engine/autograd/variable.h"

namespace lockstep::autograd {

// Per example, c the cosine between its two vectors: 1 - c where its sign is 1,
// max(0, c - margin) where it is -1, as torch.nn.CosineEmbeddingLoss.
// Shapes: a, b [n, size], signs [n] of the same dtype, each 1 or -1; result [n].
// Order: kernels/cosine_embedding.h. Gradients go to both vectors.
Variable CosineEmbeddingLoss(const Variable& a, const Variable& b, const Tensor& signs,
                             double margin = 0);

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_COSINE_EMBEDDING_OPS_H_
