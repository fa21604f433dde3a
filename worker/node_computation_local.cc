// A step of local SGD on a worker: every shard takes steps of its own from the
// common parameters, and what it has changed is what travels.
//
// Stateless: a shard's optimizer begins each step of the job with a state of
// zero, so that any worker can compute any shard, again if need be.
#include <algorithm>
#include <utility>

#include "engine/kernels/optimizer_update.h"
#include "engine/model/build_optimizer.h"
#include "engine/optim/parameter_updater.h"
#include "worker/node_computation.h"

namespace lockstep::worker {
namespace {

// What the server's update turns into the mean of the shards' ends: start - end
// of a parameter, and of a running statistic what it would have observed.
void WriteChange(const nn::ParameterLayout& layout, absl::Span<const float> start,
                 absl::Span<const float> end, absl::Span<float> change) {
  for (size_t i = 0; i < change.size(); ++i) change[i] = start[i] - end[i];
  for (const nn::ParameterSlot& slot : layout.slots()) {
    if (slot.kind != nn::ParameterKind::kRunningStatistic) continue;
    const float kept = 1.0f - slot.momentum;
    for (int64_t i = 0; i < slot.element_count; ++i) {
      const int64_t at = slot.offset_elements + i;
      const float old_part = kept * start[at];
      change[at] = (end[at] - old_part) / slot.momentum;
    }
  }
}

}  // namespace

absl::StatusOr<NodeLosses> NodeComputation::TrainLocally(const NodeBatch& batch,
                                                         double learning_rate_factor,
                                                         Tensor change) {
  if (batch.shards() == 1) return TrainShardLocally(batch, learning_rate_factor, change);
  const int middle = ShardTreeMiddle({0, batch.shards()});
  const auto left = TrainLocally(batch.Part(0, middle), learning_rate_factor, change);
  if (!left.ok()) return left;
  Tensor right_change = Tensor::Zeros(change.shape());
  const auto right =
      TrainLocally(batch.Part(middle, batch.shards()), learning_rate_factor, right_change);
  if (!right.ok()) return right;
  kernels::AddInPlace(change.span<float>(), std::as_const(right_change).span<float>());
  return Together(*left, *right);
}

absl::StatusOr<NodeLosses> NodeComputation::TrainShardLocally(const NodeBatch& batch,
                                                              double learning_rate_factor,
                                                              Tensor change) {
  NodeLosses losses;
  const int64_t rows = batch.cuts.back();
  std::fill_n(change.data<float>(), change.element_count(), 0.0f);
  if (rows == 0) return losses;
  auto rules = MakeLocalRules(spec_, layout_);
  if (!rules.ok()) return rules.status();
  optim::ParameterUpdater updater(layout_, *std::move(rules));
  const Tensor start = parameters_;
  Tensor own = start.Clone();
  Tensor gradient = Tensor::Zeros(start.shape());
  // As many as the whole batch makes, fewer at an epoch's end.
  const auto steps = static_cast<int>((plan_.Place(batch.step).examples + spec_.batch_size() - 1) /
                                      spec_.batch_size());
  optim::UpdateStep update;
  update.learning_rate_factor = learning_rate_factor;
  for (int i = 0; i < steps; ++i) {
    const int64_t begin = ShardBegin(i, steps, rows), end = ShardBegin(i + 1, steps, rows);
    if (begin == end) continue;
    NodeBatch part = batch;
    part.first_example = batch.first_example + static_cast<uint64_t>(begin);
    part.cuts = {0, end - begin};
    part.batch.features = batch.batch.features.Rows(begin, end);
    part.batch.labels = batch.batch.labels.Rows(begin, end);
    if (batch.batch.weights.defined()) part.batch.weights = batch.batch.weights.Rows(begin, end);
    models_[0].parameters.SetValues(own);
    std::fill_n(gradient.data<float>(), gradient.element_count(), 0.0f);
    const auto now = TrainBatch(models_[0], part, gradient);
    if (!now.ok()) return now;
    update.batch_size = static_cast<double>(end - begin);
    // Into new memory: the graph of the step before may still hold the old.
    Tensor next = Tensor::Empty(own.shape());
    updater.Update(update, 0, std::as_const(gradient).span<float>(),
                   std::as_const(own).span<float>(), next.span<float>());
    own = std::move(next);
    ++update.step;
    losses = Together(losses, *now);
  }
  models_[0].parameters.SetValues(start);
  WriteChange(layout_, std::as_const(start).span<float>(), std::as_const(own).span<float>(),
              change.span<float>());
  return losses;
}

}  // namespace lockstep::worker
