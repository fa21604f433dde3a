#include "server/parameter_store.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::server {

ParameterStore::ParameterStore(nn::ParameterLayout layout,
                               std::unique_ptr<optim::Optimizer> optimizer, Tensor parameters)
    : layout_(std::move(layout)),
      optimizer_(std::move(optimizer)),
      chunk_count_(
          static_cast<int>((layout_.total_elements() + kChunkElements - 1) / kChunkElements)),
      current_(std::move(parameters)) {
  for (int i = 0; i < optimizer_->state_count(); ++i) {
    state_.push_back(Tensor::Zeros(Shape{layout_.total_elements()}));
  }
}

int64_t ParameterStore::ChunkElements(int chunk) const {
  return std::min(kChunkElements, layout_.total_elements() - chunk * kChunkElements);
}

Tensor ParameterStore::Chunk(const Tensor& flat, int chunk) const {
  const int64_t begin = chunk * kChunkElements;
  return flat.Rows(begin, begin + ChunkElements(chunk));
}

void ParameterStore::BeginStep() { next_ = Tensor::Empty(Shape{layout_.total_elements()}); }

void ParameterStore::ApplyChunk(int chunk, const Tensor& gradient_sum, uint64_t step,
                                double batch_size, double learning_rate_factor) {
  const int64_t begin = chunk * kChunkElements;
  const int64_t size = ChunkElements(chunk);
  std::vector<absl::Span<float>> state;
  for (Tensor& flat : state_) state.push_back(flat.span<float>().subspan(begin, size));
  Tensor next = NextChunk(chunk);
  const Tensor current = CurrentChunk(chunk);
  optimizer_->Update(step, batch_size, learning_rate_factor, gradient_sum.span<float>(),
                     current.span<float>(), absl::MakeConstSpan(state), next.span<float>());
}

void ParameterStore::CommitStep() {
  current_ = std::move(next_);
  next_ = Tensor();
}

bool ParameterStore::IsFinite() const {
  const float* const values = static_cast<const Tensor&>(current_).data<float>();
  return std::all_of(values, values + layout_.total_elements(),
                     [](float value) { return std::isfinite(value); });
}

std::vector<data::NamedTensor> ParameterStore::NamedParameters() const {
  std::vector<data::NamedTensor> tensors;
  const std::vector<nn::ParameterSlot>& slots = layout_.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    tensors.push_back({slots[i].name, layout_.View(current_, static_cast<int>(i))});
  }
  return tensors;
}

std::vector<data::NamedTensor> ParameterStore::CopyOptimizerState() const {
  std::vector<data::NamedTensor> tensors;
  const std::vector<std::string>& names = optimizer_->state_names();
  for (size_t i = 0; i < state_.size(); ++i) {
    const Tensor copy = state_[i].Clone();
    const std::vector<nn::ParameterSlot>& slots = layout_.slots();
    for (size_t slot = 0; slot < slots.size(); ++slot) {
      tensors.push_back({absl::StrCat(names[i], ".", slots[slot].name),
                         layout_.View(copy, static_cast<int>(slot))});
    }
  }
  return tensors;
}

absl::Status ParameterStore::LoadParameters(const std::vector<data::NamedTensor>& tensors) {
  Tensor flat = Tensor::Zeros(Shape{layout_.total_elements()});
  if (tensors.size() != layout_.slots().size()) {
    return absl::InvalidArgumentError(absl::StrCat("parameters: got ", tensors.size(),
                                                   " tensors, want ", layout_.slots().size()));
  }
  if (absl::Status status = Load("", tensors, flat); !status.ok()) return status;
  current_ = flat;
  return absl::OkStatus();
}

absl::Status ParameterStore::LoadOptimizerState(const std::vector<data::NamedTensor>& tensors) {
  if (tensors.size() != layout_.slots().size() * state_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("optimizer state: got ", tensors.size(),
                                                   " tensors, want ",
                                                   layout_.slots().size() * state_.size()));
  }
  std::vector<Tensor> loaded;
  for (const std::string& name : optimizer_->state_names()) {
    Tensor flat = Tensor::Zeros(Shape{layout_.total_elements()});
    if (absl::Status status = Load(name + ".", tensors, flat); !status.ok()) return status;
    loaded.push_back(flat);
  }
  state_ = std::move(loaded);
  return absl::OkStatus();
}

absl::Status ParameterStore::Load(const std::string& prefix,
                                  const std::vector<data::NamedTensor>& tensors,
                                  Tensor& flat) const {
  std::map<std::string, const Tensor*> by_name;
  for (const data::NamedTensor& named : tensors) by_name[named.name] = &named.tensor;
  const std::vector<nn::ParameterSlot>& slots = layout_.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const nn::ParameterSlot& entry = slots[i];
    const auto found = by_name.find(prefix + entry.name);
    if (found == by_name.end()) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", prefix, entry.name,
                                                     "': got none, want ", entry.shape.ToString()));
    }
    if (found->second->shape() != entry.shape) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", prefix, entry.name, "': got shape ",
                       found->second->shape().ToString(), ", want ", entry.shape.ToString()));
    }
    Tensor view = layout_.View(flat, static_cast<int>(i));
    std::memcpy(view.data<float>(), found->second->data<float>(),
                entry.element_count * sizeof(float));
  }
  return absl::OkStatus();
}

}  // namespace lockstep::server
