#include "worker/node_computation.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/autograd/anomaly.h"
#include "engine/autograd/arithmetic_ops.h"
#include "engine/autograd/grad_mode.h"
#include "engine/autograd/shard_cuts.h"
#include "engine/autograd/variable.h"
#include "engine/check.h"
#include "engine/kernels/bfloat16.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/parallel.h"
#include "engine/model/build_model.h"
#include "engine/nn/training_scope.h"

namespace lockstep::worker {
namespace {

// Labels of the validation examples that go through the model at once: enough to
// keep the kernels busy, few enough that their activations stay in cache.
constexpr int64_t kEvaluationLabels = 512;

// Adds up float64 shard sums in the tree's order.
double TreeSum(const PooledVector<double>& shards, const ShardNode& node) {
  if (node.size() == 1) return shards[node.first];
  const int middle = ShardTreeMiddle(node);
  const double left = TreeSum(shards, {node.first, middle});
  return left + TreeSum(shards, {middle, node.end});
}

// Continues a shard's chain of additions.
void AddLosses(absl::Span<const float> losses, double& sum) {
  for (float loss : losses) sum += static_cast<double>(loss);
}

// Gradients of all shards of a node at once may take this much; with more, the
// parameters are so many that kernels have work for all threads anyway.
constexpr int64_t kMostShardGradientBytes = int64_t{256} << 20;

}  // namespace

NodeLosses Together(const NodeLosses& left, const NodeLosses& right) {
  NodeLosses both;
  both.loss_sum = left.loss_sum + right.loss_sum;
  both.predictions = left.predictions + right.predictions;
  both.correct = left.correct + right.correct;
  both.examples = left.examples + right.examples;
  return both;
}

absl::StatusOr<std::unique_ptr<NodeComputation>> NodeComputation::Create(
    const v1::JobSpec& spec, std::shared_ptr<const JobData> data, int64_t chunk_elements,
    const LayerRegistry& layers, std::optional<ShardStrategy> strategy) {
  auto model = BuildUnallocatedModel(spec, data->example_shape(), layers);
  if (!model.ok()) return model.status();
  auto loss = MakeLoss(spec.loss());
  if (!loss.ok()) return loss.status();
  std::unique_ptr<NodeComputation> computation(new NodeComputation(
      spec, std::move(data), chunk_elements, layers, *std::move(model), *std::move(loss)));
  computation->only_strategy_ = strategy;
  return computation;
}

NodeComputation::NodeComputation(const v1::JobSpec& spec, std::shared_ptr<const JobData> data,
                                 int64_t chunk_elements, const LayerRegistry& layers,
                                 std::shared_ptr<nn::Sequential> model,
                                 std::unique_ptr<nn::Loss> loss)
    : plan_(JobPlan::For(spec)),
      data_(std::move(data)),
      chunk_elements_(chunk_elements),
      spec_(spec),
      layers_(layers),
      loss_(std::move(loss)),
      layout_(nn::ParameterLayout::Of(*model)),
      keeps_shards_apart_(model->SupportsShardCuts()),
      bfloat16_(spec.gradient_format() == v1::GRADIENT_FORMAT_BFLOAT16) {
  std::vector<nn::NamedParameter> parameters = model->NamedParameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const int slot = static_cast<int>(i);
    parameters[i].variable.SetGradientReadyHook([this, slot] { OnParameterReady(slot); });
  }
  nn::BoundParameters bound(*model, layout_);
  models_.push_back({std::move(model), std::move(bound)});
}

void NodeComputation::SetParameters(const Tensor& flat) {
  parameters_ = flat;
  for (BoundModel& model : models_) model.parameters.SetValues(flat);
}

// ---- examples

data::Batch NodeComputation::TrainingBatch(uint64_t step, const ShardNode& node) {
  const auto prepared = std::find_if(
      prefetched_.begin(), prefetched_.end(),
      [&](const PreparedBatch& batch) { return batch.step == step && batch.node == node; });
  if (prepared != prefetched_.end()) {
    data::Batch batch = std::move(prepared->batch);
    // The node may be asked for again.
    prefetched_.erase(prepared);
    return batch;
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

PooledVector<int64_t> NodeComputation::CutsOf(const ShardNode& node, uint64_t examples) const {
  const int64_t first = ShardBegin(node.first, plan_.shards, examples);
  PooledVector<int64_t> cuts;
  for (int shard = node.first; shard <= node.end; ++shard) {
    cuts.push_back(ShardBegin(shard, plan_.shards, examples) - first);
  }
  return cuts;
}

NodeComputation::NodeBatch NodeComputation::BatchOf(uint64_t step, const ShardNode& node) {
  const uint64_t examples = plan_.Place(step).examples;
  const auto first = static_cast<uint64_t>(ShardBegin(node.first, plan_.shards, examples));
  return {step, first, CutsOf(node, examples), TrainingBatch(step, node)};
}

NodeComputation::NodeBatch NodeComputation::NodeBatch::Part(int first_shard, int end_shard) const {
  const int64_t begin = cuts[first_shard], end = cuts[end_shard];
  NodeBatch part;
  part.step = step;
  part.first_example = first_example + static_cast<uint64_t>(begin);
  for (int i = first_shard; i <= end_shard; ++i) part.cuts.push_back(cuts[i] - begin);
  part.batch.features = batch.features.Rows(begin, end);
  part.batch.labels = batch.labels.Rows(begin, end);
  if (batch.weights.defined()) part.batch.weights = batch.weights.Rows(begin, end);
  return part;
}

// ---- training

Tensor NodeComputation::EmptyGradient() const {
  Tensor gradient =
      take_gradient_ ? take_gradient_() : Tensor::Empty(Shape{layout_.total_elements()});
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
                                                  const ChunkHandler& on_chunk,
                                                  double learning_rate_factor) {
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
  const NodeBatch batch = BatchOf(step, node);
  if (plan_.local_steps > 0) {
    // Nothing is final before all shards have taken all of their steps.
    on_chunk_ = nullptr;
    auto losses = TrainLocally(batch, learning_rate_factor, gradient_);
    on_chunk_ = &on_chunk;
    slot_ready_.assign(slot_ready_.size(), true);
    if (losses.ok()) EmitRemainingChunks();
    on_chunk_ = nullptr;
    gradient_ = Tensor();
    return losses;
  }
  const Strategies strategies = StrategiesFor(batch.shards());
  FastestOf& fastest =
      fastest_.try_emplace(node.size(), static_cast<int>(strategies.size())).first->second;
  const int way = fastest.Next();
  const auto begin = std::chrono::steady_clock::now();
  absl::StatusOr<NodeLosses> losses = TrainBy(strategies[way], batch);
  if (losses.ok()) EmitRemainingChunks();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  // An epoch's last batch is smaller: no measure for the others.
  if (plan_.Place(step).examples == plan_.batch_size) fastest.Measured(way, time.count());
  on_chunk_ = nullptr;
  gradient_ = Tensor();
  return losses;
}

NodeComputation::Strategies NodeComputation::StrategiesFor(int shards) const {
  Strategies strategies;
  const auto allow = [&](ShardStrategy strategy) {
    if (only_strategy_.value_or(strategy) == strategy) strategies.push_back(strategy);
  };
  // Kernels that sum up over shards do not round on the way.
  const bool cuts = keeps_shards_apart_ && !bfloat16_;
  if (cuts || (shards == 1 && !bfloat16_)) allow(ShardStrategy::kWholeNode);
  if (shards > 1 || bfloat16_) allow(ShardStrategy::kShardByShard);
  const int64_t gradient_bytes = layout_.total_elements() * static_cast<int64_t>(sizeof(float));
  const bool fits = shards * gradient_bytes <= kMostShardGradientBytes;
  if (shards > 1 && omp_get_max_threads() > 1 && fits) allow(ShardStrategy::kShardPerThread);
  if (strategies.empty()) strategies.push_back(ShardStrategy::kShardByShard);
  return strategies;
}

absl::StatusOr<NodeLosses> NodeComputation::TrainBy(ShardStrategy strategy,
                                                    const NodeBatch& batch) {
  if (strategy == ShardStrategy::kWholeNode) return TrainBatch(models_[0], batch, gradient_);
  // A parameter that backward does not reach has a gradient of zero.
  std::fill_n(gradient_.data<float>(), gradient_.element_count(), 0.0f);
  // Not final before all shards are in: nothing is emitted on the way.
  const ChunkHandler* const on_chunk = std::exchange(on_chunk_, nullptr);
  auto losses = strategy == ShardStrategy::kShardByShard ? TrainShardByShard(batch, gradient_)
                                                         : TrainShardPerThread(batch, gradient_);
  on_chunk_ = on_chunk;
  slot_ready_.assign(slot_ready_.size(), true);
  return losses;
}

absl::StatusOr<NodeLosses> NodeComputation::TrainBatch(BoundModel& model, const NodeBatch& batch,
                                                       Tensor gradient) const {
  NodeLosses result;
  const PooledVector<int64_t>& cuts = batch.cuts;
  const int64_t rows = cuts.back();
  result.examples = static_cast<uint64_t>(rows);
  if (rows == 0) {
    std::fill_n(gradient.data<float>(), gradient.element_count(), 0.0f);
    return result;
  }
  model.parameters.SetGradientBuffers(gradient);
  autograd::ShardCuts scope(cuts);
  const nn::TrainingScope training({spec_.seed(), batch.step, batch.first_example});
  const autograd::Variable outputs =
      model.module->Forward(autograd::Variable(batch.batch.features));
  const absl::StatusOr<nn::LossResult> loss = LossOf(outputs, batch.batch);
  if (!loss.ok()) return loss.status();
  autograd::BackwardOptions options;
  options.overwrite_leaf_gradients = true;
  loss->losses.Backward(Tensor::Full(Shape{rows}, 1), options);
  LOCKSTEP_CHECK(scope.supported(), "a model that keeps shards apart ran an operation that cannot");
  const absl::Span<const float> values = loss->losses.value().span<float>();
  PooledVector<double> shards(cuts.size() - 1, 0.0);
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

absl::StatusOr<NodeLosses> NodeComputation::TrainShardByShard(const NodeBatch& batch,
                                                              Tensor gradient) {
  if (batch.shards() == 1) {
    auto losses = TrainBatch(models_[0], batch, gradient);
    FinishShard(gradient);
    return losses;
  }
  const int middle = ShardTreeMiddle({0, batch.shards()});
  auto left = TrainShardByShard(batch.Part(0, middle), gradient);
  if (!left.ok()) return left;
  Tensor right_gradient = Tensor::Zeros(Shape{layout_.total_elements()});
  const auto right = TrainShardByShard(batch.Part(middle, batch.shards()), right_gradient);
  if (!right.ok()) return right;
  AddGradients(gradient, right_gradient);
  *left = Together(*left, *right);
  return left;
}

absl::StatusOr<NodeLosses> NodeComputation::TrainShardPerThread(const NodeBatch& batch,
                                                                Tensor gradient) {
  const int threads = std::min(omp_get_max_threads(), batch.shards());
  if (auto status = MakeModelsFor(threads); !status.ok()) return status;
  PooledVector<Tensor> gradients = {std::move(gradient)};
  while (static_cast<int>(gradients.size()) < batch.shards())
    gradients.push_back(Tensor::Zeros(Shape{layout_.total_elements()}));
  PooledVector<absl::StatusOr<NodeLosses>> losses(batch.shards(), NodeLosses());
  kernels::ParallelTasks(batch.shards(), threads, [&](int64_t task, int thread) {
    const int shard = static_cast<int>(task);
    losses[shard] = TrainBatch(models_[thread], batch.Part(shard, shard + 1), gradients[shard]);
    FinishShard(gradients[shard]);
  });
  // Here, lest threads free what this one allocates, step after step.
  for (BoundModel& model : models_) model.parameters.ReleaseGradientBuffers();
  for (const auto& shard : losses) {
    if (!shard.ok()) return shard.status();
  }
  // Into the first shard's gradient, which is the node's.
  const auto fold = [&](const auto& self, ShardNode node) -> NodeLosses {
    if (node.size() == 1) return *losses[node.first];
    const int middle = ShardTreeMiddle(node);
    const NodeLosses left = self(self, {node.first, middle});
    const NodeLosses right = self(self, {middle, node.end});
    AddGradients(gradients[node.first], gradients[middle]);
    return Together(left, right);
  };
  return fold(fold, {0, batch.shards()});
}

void NodeComputation::FinishShard(Tensor& gradient) const {
  if (bfloat16_) kernels::RoundToBfloat16(gradient.span<float>());
}

void NodeComputation::AddGradients(Tensor& gradient, const Tensor& other) const {
  if (bfloat16_) {
    kernels::AddRoundedInPlace(gradient.span<float>(), other.span<float>());
  } else {
    kernels::AddInPlace(gradient.span<float>(), other.span<float>());
  }
}

absl::Status NodeComputation::MakeModelsFor(int threads) {
  while (static_cast<int>(models_.size()) < threads) {
    auto model = BuildUnallocatedModel(spec_, data_->example_shape(), layers_);
    if (!model.ok()) return model.status();
    nn::BoundParameters bound(**model, layout_);
    bound.SetValues(parameters_);
    models_.push_back({*std::move(model), std::move(bound)});
  }
  return absl::OkStatus();
}

std::string NodeComputation::FindAnomaly(uint64_t step, const ShardNode& node,
                                         double learning_rate_factor) {
  // What was gathered for the first time is used up.
  prefetched_.clear();
  const NodeBatch batch = BatchOf(step, node);
  for (int shard = 0; shard < batch.shards(); ++shard) {
    autograd::AnomalyGuard guard;
    Tensor gradient = Tensor::Zeros(Shape{layout_.total_elements()});
    const NodeBatch part = batch.Part(shard, shard + 1);
    const auto losses = plan_.local_steps > 0
                            ? TrainShardLocally(part, learning_rate_factor, gradient)
                            : TrainBatch(models_[0], part, gradient);
    if (losses.ok() && guard.report().empty()) continue;
    return absl::StrCat("shard ", node.first + shard, ": ",
                        losses.ok() ? guard.report() : losses.status().message());
  }
  return "";
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
  // A parameter that backward did not reach has a gradient of zero.
  for (size_t i = 0; i < slot_ready_.size(); ++i) {
    if (slot_ready_[i]) continue;
    const nn::ParameterSlot& slot = layout_.slots()[i];
    std::fill_n(gradient_.data<float>() + slot.offset_elements, slot.element_count, 0.0f);
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
  PooledVector<double> shards(node.size(), 0.0);
  const int64_t block =
      std::max<int64_t>(1, kEvaluationLabels / static_cast<int64_t>(plan_.labels_per_example));
  for (int shard = node.first; shard < node.end; ++shard) {
    const int64_t end = ShardBegin(shard + 1, plan_.shards, plan_.validation_examples);
    int64_t at = ShardBegin(shard, plan_.shards, plan_.validation_examples);
    for (; at < end; at += block) {
      const int64_t rows = std::min(block, end - at);
      const data::Batch batch = data_->ValidationBatch(at, rows);
      const autograd::Variable outputs =
          models_[0].module->Forward(autograd::Variable(batch.features));
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
