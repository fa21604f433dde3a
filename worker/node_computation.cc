#include "worker/node_computation.h"

#include <algorithm>
#include <utility>

#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/autograd/variable.h"
#include "engine/check.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/model/build_model.h"

namespace lockstep::worker {
namespace {

// Labels of the validation examples that go through the model at once: enough to
// keep the kernels busy, few enough that their activations stay in cache.
constexpr int64_t kEvaluationLabels = 512;

// Adds up float64 shard sums in the tree's order.
double TreeSum(const std::vector<double>& shards, const ShardNode& node) {
  if (node.size() == 1) return shards[node.first];
  const int middle = ShardTreeMiddle(node);
  const double left = TreeSum(shards, {node.first, middle});
  return left + TreeSum(shards, {middle, node.end});
}

// Continues a shard's chain of additions.
void AddLosses(absl::Span<const float> losses, double& sum) {
  for (float loss : losses) sum += static_cast<double>(loss);
}

}  // namespace

absl::StatusOr<std::unique_ptr<NodeComputation>> NodeComputation::Create(
    const v1::JobSpec& spec, std::shared_ptr<const JobData> data, int64_t chunk_elements,
    std::optional<ShardStrategy> strategy) {
  auto model = BuildModel(spec, data->example_shape());
  if (!model.ok()) return model.status();
  auto loss = MakeLoss(spec.loss());
  if (!loss.ok()) return loss.status();
  std::unique_ptr<NodeComputation> computation(new NodeComputation(
      spec, std::move(data), chunk_elements, *std::move(model), *std::move(loss)));
  computation->strategy_ =
      strategy.value_or(computation->model_->SupportsShardCuts() ? ShardStrategy::kWholeNode
                                                                 : ShardStrategy::kShardByShard);
  return computation;
}

NodeComputation::NodeComputation(const v1::JobSpec& spec, std::shared_ptr<const JobData> data,
                                 int64_t chunk_elements, std::unique_ptr<nn::Sequential> model,
                                 std::unique_ptr<nn::Loss> loss)
    : plan_(JobPlan::For(spec)),
      data_(std::move(data)),
      chunk_elements_(chunk_elements),
      model_(std::move(model)),
      loss_(std::move(loss)),
      layout_(nn::ParameterLayout::Of(*model_)) {
  std::vector<nn::NamedParameter> parameters = model_->NamedParameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const int slot = static_cast<int>(i);
    parameters[i].variable.SetGradientReadyHook([this, slot] { OnParameterReady(slot); });
  }
}

void NodeComputation::SetParameters(const Tensor& flat) {
  nn::BindParameters(*model_, layout_, flat);
}

// ---- examples

data::Batch NodeComputation::TrainingBatch(uint64_t step, const ShardNode& node) {
  for (PreparedBatch& prepared : prefetched_) {
    if (prepared.step == step && prepared.node == node && prepared.batch.features.defined()) {
      return std::move(prepared.batch);
    }
  }
  const StepPlace place = plan_.Place(step);
  const int64_t first = ShardBegin(node.first, plan_.shards, place.examples);
  const int64_t end = ShardBegin(node.end, plan_.shards, place.examples);
  return data_->TrainingBatch(place.epoch, place.first_position + first, end - first);
}

void NodeComputation::Prefetch(uint64_t step, const ShardNode& node) {
  prefetched_.erase(std::remove_if(prefetched_.begin(), prefetched_.end(),
                                   [step](const PreparedBatch& p) { return p.step != step; }),
                    prefetched_.end());
  if (step >= plan_.total_steps) return;
  data::Batch batch = TrainingBatch(step, node);
  prefetched_.push_back({step, node, std::move(batch)});
}

std::vector<int64_t> NodeComputation::CutsOf(const ShardNode& node, uint64_t examples) const {
  const int64_t first = ShardBegin(node.first, plan_.shards, examples);
  std::vector<int64_t> cuts;
  for (int shard = node.first; shard <= node.end; ++shard) {
    cuts.push_back(ShardBegin(shard, plan_.shards, examples) - first);
  }
  return cuts;
}

// ---- training

Tensor NodeComputation::EmptyGradient() const {
  Tensor gradient = Tensor::Empty(Shape{layout_.total_elements()});
  // Backward writes every parameter; what lies between them is zero.
  float* const data = gradient.data<float>();
  int64_t written = 0;
  for (const nn::ParameterSlot& slot : layout_.slots()) {
    std::fill(data + written, data + slot.offset_elements, 0.0f);
    written = slot.offset_elements + slot.element_count;
  }
  std::fill(data + written, data + layout_.total_elements(), 0.0f);
  return gradient;
}

absl::StatusOr<NodeLosses> NodeComputation::Train(uint64_t step, const ShardNode& node,
                                                  const ChunkHandler& on_chunk) {
  on_chunk_ = &on_chunk;
  gradient_ = EmptyGradient();
  const int chunks =
      static_cast<int>((layout_.total_elements() + chunk_elements_ - 1) / chunk_elements_);
  slots_missing_.assign(chunks, 0);
  slot_ready_.assign(layout_.slots().size(), false);
  for (const nn::ParameterSlot& slot : layout_.slots()) {
    const int64_t last = slot.offset_elements + std::max<int64_t>(slot.element_count, 1) - 1;
    for (int64_t chunk = slot.offset_elements / chunk_elements_; chunk <= last / chunk_elements_;
         ++chunk) {
      ++slots_missing_[chunk];
    }
  }
  absl::StatusOr<NodeLosses> losses;
  if (strategy_ == ShardStrategy::kWholeNode) {
    losses =
        TrainBatch(TrainingBatch(step, node), CutsOf(node, plan_.Place(step).examples), gradient_);
  } else {
    // Not final before all shards are in: nothing is emitted on the way.
    on_chunk_ = nullptr;
    losses = TrainShardByShard(step, node, gradient_);
    on_chunk_ = &on_chunk;
  }
  if (losses.ok()) EmitRemainingChunks();
  on_chunk_ = nullptr;
  gradient_ = Tensor();
  return losses;
}

absl::StatusOr<NodeLosses> NodeComputation::TrainBatch(const data::Batch& batch,
                                                       const std::vector<int64_t>& cuts,
                                                       Tensor gradient) {
  NodeLosses result;
  const int64_t rows = cuts.back();
  result.examples = static_cast<uint64_t>(rows);
  if (rows == 0) {
    std::fill_n(gradient.data<float>(), gradient.element_count(), 0.0f);
    return result;
  }
  nn::BindGradients(*model_, layout_, gradient);
  autograd::ShardCuts scope(cuts);
  const autograd::Variable outputs = model_->Forward(autograd::Variable(batch.features));
  const absl::StatusOr<nn::LossResult> loss = LossOf(outputs, batch);
  if (!loss.ok()) return loss.status();
  autograd::BackwardOptions options;
  options.overwrite_leaf_gradients = true;
  loss->losses.Backward(Tensor::Full(Shape{rows}, 1), options);
  LOCKSTEP_CHECK(scope.supported(), "a model that keeps shards apart ran an operation that cannot");
  const absl::Span<const float> values = loss->losses.value().span<float>();
  std::vector<double> shards(cuts.size() - 1, 0.0);
  for (size_t i = 0; i < shards.size(); ++i) {
    AddLosses(values.subspan(cuts[i], cuts[i + 1] - cuts[i]), shards[i]);
  }
  result.loss_sum = TreeSum(shards, {0, static_cast<int>(shards.size())});
  result.predictions = static_cast<uint64_t>(loss->predictions);
  result.correct = static_cast<uint64_t>(loss->correct);
  return result;
}

absl::StatusOr<nn::LossResult> NodeComputation::LossOf(const autograd::Variable& outputs,
                                                       const data::Batch& batch) const {
  if (auto status = loss_->Check(outputs.shape(), batch.labels); !status.ok()) return status;
  nn::LossResult loss = loss_->Forward(outputs, batch.labels);
  if (batch.weights.defined()) loss.losses = loss.losses * autograd::Variable(batch.weights);
  return loss;
}

absl::StatusOr<NodeLosses> NodeComputation::TrainShardByShard(uint64_t step, const ShardNode& node,
                                                              Tensor gradient) {
  if (node.size() == 1) {
    return TrainBatch(TrainingBatch(step, node), CutsOf(node, plan_.Place(step).examples),
                      gradient);
  }
  const int middle = ShardTreeMiddle(node);
  auto left = TrainShardByShard(step, {node.first, middle}, gradient);
  if (!left.ok()) return left;
  Tensor right_gradient = EmptyGradient();
  const auto right = TrainShardByShard(step, {middle, node.end}, right_gradient);
  if (!right.ok()) return right;
  kernels::AddInPlace(gradient.span<float>(),
                      static_cast<const Tensor&>(right_gradient).span<float>());
  left->loss_sum += right->loss_sum;
  left->predictions += right->predictions;
  left->correct += right->correct;
  left->examples += right->examples;
  return left;
}

// ---- finished chunks

void NodeComputation::OnParameterReady(int slot_index) {
  if (on_chunk_ == nullptr || slot_ready_[slot_index]) return;
  slot_ready_[slot_index] = true;
  const nn::ParameterSlot& slot = layout_.slots()[slot_index];
  const int64_t last = slot.offset_elements + std::max<int64_t>(slot.element_count, 1) - 1;
  for (int64_t chunk = slot.offset_elements / chunk_elements_; chunk <= last / chunk_elements_;
       ++chunk) {
    if (--slots_missing_[chunk] == 0) EmitChunk(static_cast<int>(chunk));
  }
}

void NodeComputation::EmitRemainingChunks() {
  if (strategy_ == ShardStrategy::kWholeNode) {
    // A parameter that backward did not reach has a gradient of zero.
    for (size_t i = 0; i < slot_ready_.size(); ++i) {
      if (slot_ready_[i]) continue;
      const nn::ParameterSlot& slot = layout_.slots()[i];
      std::fill_n(gradient_.data<float>() + slot.offset_elements, slot.element_count, 0.0f);
    }
  }
  for (size_t chunk = 0; chunk < slots_missing_.size(); ++chunk) {
    if (slots_missing_[chunk] >= 0) EmitChunk(static_cast<int>(chunk));
  }
}

void NodeComputation::EmitChunk(int chunk) {
  slots_missing_[chunk] = -1;
  const int64_t begin = chunk * chunk_elements_;
  const int64_t end = std::min(begin + chunk_elements_, layout_.total_elements());
  (*on_chunk_)(chunk, gradient_.Rows(begin, end));
}

// ---- evaluation

absl::StatusOr<NodeLosses> NodeComputation::Evaluate(const ShardNode& node) {
  const autograd::NoGradGuard no_grad;
  NodeLosses result;
  std::vector<double> shards(node.size(), 0.0);
  const int64_t block =
      std::max<int64_t>(1, kEvaluationLabels / static_cast<int64_t>(plan_.labels_per_example));
  for (int shard = node.first; shard < node.end; ++shard) {
    const int64_t end = ShardBegin(shard + 1, plan_.shards, plan_.validation_examples);
    int64_t at = ShardBegin(shard, plan_.shards, plan_.validation_examples);
    for (; at < end; at += block) {
      const int64_t rows = std::min(block, end - at);
      const data::Batch batch = data_->ValidationBatch(at, rows);
      const autograd::Variable outputs = model_->Forward(autograd::Variable(batch.features));
      const absl::StatusOr<nn::LossResult> loss = LossOf(outputs, batch);
      if (!loss.ok()) return loss.status();
      AddLosses(loss->losses.value().span<float>(), shards[shard - node.first]);
      result.predictions += static_cast<uint64_t>(loss->predictions);
      result.correct += static_cast<uint64_t>(loss->correct);
      result.examples += static_cast<uint64_t>(rows);
    }
  }
  result.loss_sum = TreeSum(shards, {0, node.size()});
  return result;
}

}  // namespace lockstep::worker
