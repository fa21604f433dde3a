// Channels' planes with their padding's zeros around them (PaddedLayout), as the
// register tiles of convolutions read them.
#ifndef LOCKSTEP_ENGINE_KERNELS_PADDED_PLANES_H_
#define LOCKSTEP_ENGINE_KERNELS_PADDED_PLANES_H_

#include <cstdint>

#include "engine/kernels/convolution_plan.h"

namespace lockstep::kernels {

// Zeroed scratch of this thread for so many planes; the longest vector behind
// them may be read. Valid until the thread's next call.
float* ReservePlanes(const PaddedLayout& layout, int64_t channels);

// Copies channels into their planes, whose zeros are there already.
void FillPlanes(const PaddedLayout& layout, int64_t channels, const float* x, float* planes);

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_PADDED_PLANES_H_
