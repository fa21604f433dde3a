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

absl::Status ParameterReplica::CheckChunk(uint32_t chunk, size_t size_bytes) const {
  if (chunk >= static_cast<uint32_t>(chunk_count_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter_chunk: got chunk ", chunk, ", want less than ", chunk_count_));
  }
  const size_t want = (ChunkEnd(chunk) - ChunkBegin(chunk)) * sizeof(float);
  if (size_bytes != want) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter_chunk: got ", size_bytes, " bytes, want ", want));
  }
  return absl::OkStatus();
}

void ParameterReplica::BeginVersion(uint64_t version, const std::function<Tensor()>& make) {
  if (incoming_.defined() && incoming_version_ == version) return;
  incoming_ = make();
  incoming_version_ = version;
  received_.assign(chunk_count_, false);
  missing_ = chunk_count_;
}

void ParameterReplica::MarkReceived(uint32_t chunk) {
  if (!received_[chunk]) --missing_;
  received_[chunk] = true;
}

absl::Status ParameterReplica::Receive(uint64_t version, uint32_t chunk, size_t size_bytes,
                                       const std::function<void(float*)>& copy) {
  if (auto status = CheckChunk(chunk, size_bytes); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  BeginVersion(version, [this] { return Tensor::Empty(Shape{total_elements_}); });
  if (incoming_.storage()->foreign()) {
    return absl::InvalidArgumentError(
        "parameter_chunk: got one by itself of a version in shared memory");
  }
  copy(incoming_.data<float>() + ChunkBegin(chunk));
  MarkReceived(chunk);
  return absl::OkStatus();
}

absl::Status ParameterReplica::ReceiveShared(uint64_t version, uint32_t chunk, const Tensor& values,
                                             uint64_t position) {
  const size_t size_bytes = values.element_count() * sizeof(float);
  if (auto status = CheckChunk(chunk, size_bytes); !status.ok()) return status;
  const std::shared_ptr<Storage>& storage = values.storage();
  const auto* const begin = static_cast<const float*>(std::as_const(*storage).data());
  const auto want_bytes = static_cast<size_t>(total_elements_) * sizeof(float);
  absl::MutexLock lock(&mutex_);
  const bool begins = !incoming_.defined() || incoming_version_ != version;
  if (storage->size_bytes() != want_bytes || values.data<float>() != begin + ChunkBegin(chunk) ||
      (!begins && std::as_const(incoming_).data<float>() != begin)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "parameter_chunk: got shared memory of ", storage->size_bytes(),
        " bytes, want one region of ", want_bytes, " that holds all chunks of a version"));
  }
  if (begins) incoming_position_ = position;
  BeginVersion(version, [&] { return Tensor::View(storage, 0, Shape{total_elements_}); });
  MarkReceived(chunk);
  return absl::OkStatus();
}

uint64_t ParameterReplica::released() const {
  absl::MutexLock lock(&mutex_);
  return current_position_;
}

absl::StatusOr<Tensor> ParameterReplica::Adopt(uint64_t version) {
  absl::MutexLock lock(&mutex_);
  if (incoming_.defined() && incoming_version_ == version && missing_ == 0) {
    current_ = std::move(incoming_);
    current_version_ = version;
    current_position_ = incoming_position_;
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
