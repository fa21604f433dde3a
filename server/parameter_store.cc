#include "server/parameter_store.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lockstep::server {
namespace {

// Below this a snapshot is copied at once: a file costs more than it spares.
constexpr uint64_t kLeastLazyBytes = uint64_t{16} << 20;

// A name and the memory that belongs to it.
struct Destination {
  std::string name;
  Tensor tensor;
};

// Copies each destination's tensor of the same name; all names must be there.
absl::Status Load(const std::vector<data::NamedTensor>& tensors,
                  std::vector<Destination> destinations) {
  std::map<std::string, const Tensor*> by_name;
  for (const data::NamedTensor& named : tensors) by_name[named.name] = &named.tensor;
  for (const Destination& destination : destinations) {
    const auto found = by_name.find(destination.name);
    const Shape& want = destination.tensor.shape();
    if (found == by_name.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", destination.name, "': got none, want ", want.ToString()));
    }
    if (found->second->shape() != want) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", destination.name, "': got shape ",
                                                     found->second->shape().ToString(), ", want ",
                                                     want.ToString()));
    }
  }
  for (Destination& destination : destinations) {
    std::memcpy(destination.tensor.data<float>(), by_name[destination.name]->data<float>(),
                destination.tensor.element_count() * sizeof(float));
  }
  return absl::OkStatus();
}

}  // namespace

ParameterStore::ParameterStore(nn::ParameterLayout layout, optim::UpdateRules rules,
                               Tensor parameters, int64_t chunk_elements)
    : updater_(std::move(layout), std::move(rules)),
      chunk_elements_(chunk_elements),
      chunk_count_(static_cast<int>((this->layout().total_elements() + chunk_elements - 1) /
                                    chunk_elements)),
      blocks_(this->layout().total_elements()),
      current_(blocks_.Take()) {
  std::memcpy(current_.data<float>(), parameters.data<float>(),
              parameters.element_count() * sizeof(float));
  updater_.StartAverage(current_);
  if (NeedsWholeGradient()) gradient_ = Tensor::Zeros(current_.shape());
}

int64_t ParameterStore::ChunkElements(int chunk) const {
  return std::min(chunk_elements_, layout().total_elements() - chunk * chunk_elements_);
}

Tensor ParameterStore::Chunk(const Tensor& flat, int chunk) const {
  const int64_t begin = chunk * chunk_elements_;
  return flat.Rows(begin, begin + ChunkElements(chunk));
}

void ParameterStore::BeginStep() {
  absl::MutexLock lock(&next_mutex_);
  next_ = Tensor();
}

Tensor ParameterStore::Next() {
  absl::MutexLock lock(&next_mutex_);
  if (next_.defined()) return next_;
  for (const std::weak_ptr<LazyCopy>& held : snapshots_before_) {
    if (const std::shared_ptr<LazyCopy> snapshot = held.lock()) snapshot->CopyFixed();
  }
  next_ = blocks_.Take();
  return next_;
}

void ParameterStore::ApplyChunk(int chunk, const Tensor& gradient_sum,
                                const optim::UpdateStep& step) {
  KeepInSnapshots(chunk, chunk + 1);
  Tensor next = NextChunk(chunk);
  const Tensor current = CurrentChunk(chunk);
  updater_.Update(step, chunk * chunk_elements_, gradient_sum.span<float>(), current.span<float>(),
                  next.span<float>());
}

void ParameterStore::KeepChunk(int chunk, const Tensor& gradient_sum) {
  Tensor kept = Chunk(gradient_, chunk);
  std::memcpy(kept.data<float>(), gradient_sum.data<float>(),
              gradient_sum.element_count() * sizeof(float));
}

void ParameterStore::ApplyAll(const optim::UpdateStep& step) {
  KeepInSnapshots(0, chunk_count_);
  const Tensor& gradient = gradient_;
  const Tensor& current = current_;
  Tensor next = Next();
  updater_.Update(step, 0, gradient.span<float>(), current.span<float>(), next.span<float>());
}

void ParameterStore::CommitStep() {
  absl::MutexLock lock(&next_mutex_);
  current_ = std::move(next_);
  next_ = Tensor();
  snapshots_before_ = std::exchange(snapshots_, {});
}

bool ParameterStore::IsFinite() const {
  const auto* const values = std::as_const(current_).data<float>();
  // All exponent bits set: infinity or NaN. No way out before the end, so that the
  // compiler vectorises it.
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t found = 0;
  for (int64_t i = 0; i < layout().total_elements(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof(bits));
    found |= static_cast<uint32_t>((bits & kExponent) == kExponent);
  }
  return found == 0;
}

std::vector<data::NamedTensor> ParameterStore::Named(const Tensor& flat) const {
  std::vector<data::NamedTensor> tensors;
  const std::vector<nn::ParameterSlot>& slots = layout().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    tensors.push_back({slots[i].name, layout().View(flat, static_cast<int>(i))});
  }
  return tensors;
}

std::vector<data::NamedTensor> ParameterStore::NamedState(const std::vector<Tensor>& flat) const {
  std::vector<data::NamedTensor> tensors;
  for (optim::NamedState& state : updater_.NameState(flat)) {
    tensors.push_back({std::move(state.name), std::move(state.tensor)});
  }
  return tensors;
}

ParameterStore::Snapshot ParameterStore::TakeSnapshot(const std::string& scratch_folder) {
  std::vector<Tensor> state = updater_.FlatState();
  const uint64_t bytes = (1 + state.size()) * layout().total_elements() * sizeof(float);
  if (bytes >= kLeastLazyBytes && !scratch_folder.empty()) {
    auto copying = LazyCopy::Begin(scratch_folder, {current_}, state, chunk_elements_);
    if (copying.ok()) {
      snapshots_.push_back(*copying);
      return {Named((*copying)->fixed()[0]), NamedState((*copying)->changing()),
              *std::move(copying)};
    }
  }
  for (Tensor& vector : state) vector = vector.Clone();
  return {Named(current_), NamedState(state), nullptr};
}

void ParameterStore::KeepInSnapshots(int first_chunk, int end_chunk) {
  for (const std::weak_ptr<LazyCopy>& held : snapshots_) {
    const std::shared_ptr<LazyCopy> snapshot = held.lock();
    if (snapshot == nullptr) continue;
    for (int chunk = first_chunk; chunk < end_chunk; ++chunk) snapshot->CopyPiece(chunk);
  }
}

absl::Status ParameterStore::LoadParameters(const std::vector<data::NamedTensor>& tensors) {
  const std::vector<nn::ParameterSlot>& slots = layout().slots();
  if (tensors.size() != slots.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameters: got ", tensors.size(), " tensors, want ", slots.size()));
  }
  Tensor flat = blocks_.Take();
  std::fill_n(flat.data<float>(), flat.element_count(), 0.0f);  // also between the parameters
  std::vector<Destination> destinations;
  for (size_t i = 0; i < slots.size(); ++i) {
    destinations.push_back({slots[i].name, layout().View(flat, static_cast<int>(i))});
  }
  if (absl::Status status = Load(tensors, std::move(destinations)); !status.ok()) return status;
  current_ = flat;
  updater_.StartAverage(current_);
  return absl::OkStatus();
}

absl::Status ParameterStore::LoadOptimizerState(const std::vector<data::NamedTensor>& tensors) {
  std::vector<Destination> destinations;
  for (optim::NamedState& state : updater_.State()) {
    destinations.push_back({state.name, state.tensor});
  }
  std::set<std::string> wanted;
  for (const Destination& destination : destinations) wanted.insert(destination.name);
  for (const data::NamedTensor& tensor : tensors) {
    if (wanted.count(tensor.name) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("optimizer state: got a tensor '", tensor.name,
                                                   "', which ", DescribeOptimizer(),
                                                   " does not have"));
  }
  return Load(tensors, std::move(destinations));
}

}  // namespace lockstep::server
