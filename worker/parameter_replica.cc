#include "worker/parameter_replica.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::worker {

ParameterReplica::ParameterReplica(int64_t total_elements, int64_t chunk_elements)
    : total_elements_(total_elements),
      chunk_elements_(chunk_elements),
      chunk_count_(static_cast<int>((total_elements + chunk_elements - 1) / chunk_elements)) {}

int64_t ParameterReplica::ChunkEnd(int chunk) const {
  return std::min(total_elements_, ChunkBegin(chunk) + chunk_elements_);
}

absl::Status ParameterReplica::Receive(uint64_t version, uint32_t chunk, size_t size_bytes,
                                       const std::function<void(float*)>& copy) {
  if (chunk >= static_cast<uint32_t>(chunk_count_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter_chunk: got chunk ", chunk, ", want less than ", chunk_count_));
  }
  const size_t want = (ChunkEnd(chunk) - ChunkBegin(chunk)) * sizeof(float);
  if (size_bytes != want) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter_chunk: got ", size_bytes, " bytes, want ", want));
  }
  absl::MutexLock lock(&mutex_);
  if (!incoming_.defined() || incoming_version_ != version) {
    incoming_ = Tensor::Empty(Shape{total_elements_});
    incoming_version_ = version;
    received_.assign(chunk_count_, false);
    missing_ = chunk_count_;
  }
  copy(incoming_.data<float>() + ChunkBegin(chunk));
  if (!received_[chunk]) --missing_;
  received_[chunk] = true;
  return absl::OkStatus();
}

absl::StatusOr<Tensor> ParameterReplica::Adopt(uint64_t version) {
  absl::MutexLock lock(&mutex_);
  if (incoming_.defined() && incoming_version_ == version && missing_ == 0) {
    current_ = std::move(incoming_);
    current_version_ = version;
    incoming_ = Tensor();
  }
  if (!current_.defined() || current_version_ != version) {
    return absl::FailedPreconditionError(
        absl::StrCat("round: got version ", version, ", whose parameters have not all been sent"));
  }
  return current_;
}

bool ParameterReplica::IsPast(uint64_t version) const {
  absl::MutexLock lock(&mutex_);
  return (incoming_.defined() && incoming_version_ > version) ||
         (current_.defined() && current_version_ > version);
}

}  // namespace lockstep::worker
