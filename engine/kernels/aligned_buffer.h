// Scratch memory that a thread keeps from call to call.
#ifndef LOCKSTEP_ENGINE_KERNELS_ALIGNED_BUFFER_H_
#define LOCKSTEP_ENGINE_KERNELS_ALIGNED_BUFFER_H_

#include <cstdint>
#include <cstdlib>

#include "engine/check.h"

namespace lockstep::kernels {

// Grows, never shrinks; meant to be thread_local, so that kernels allocate
// nothing once they have seen their largest shapes.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  ~AlignedBuffer() { std::free(data_); }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;

  // At least `size` floats at a multiple of 64 bytes; what was there is lost.
  float* Reserve(int64_t size) {
    if (size > size_) {
      std::free(data_);
      const int64_t rounded = (size + 1023) / 1024 * 1024;
      data_ = static_cast<float*>(std::aligned_alloc(64, rounded * sizeof(float)));
      LOCKSTEP_CHECK(data_ != nullptr, "out of memory for a kernel's scratch buffer");
      size_ = rounded;
    }
    return data_;
  }

 private:
  float* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_ALIGNED_BUFFER_H_
