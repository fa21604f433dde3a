#include "server/build_parameter_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/model/build_optimizer.h"
#include "engine/model/job_plan.h"
#include "engine/model/machine_memory.h"
#include "engine/storage.h"

namespace lockstep::server {
namespace {

Shape ExampleShape(const v1::JobSpec& spec) {
  const auto& extents = spec.data_summary().example_shape();
  return Shape(std::vector<int64_t>(extents.begin(), extents.end()));
}

}  // namespace

absl::Status CheckServerMemory(const v1::JobSpec& spec, const ModelPlan& plan, uint64_t bytes) {
  const auto rules = MakeServerRules(spec, plan.layout);
  if (!rules.ok()) return rules.status();
  // Present and next parameters and two gradients, and where the whole is
  // needed that; of each state and the average the present one, and copies in a
  // checkpoint that waits and one that is written.
  const uint64_t states = rules->state_count() + (rules->average_decay != 0 ? 1 : 0);
  uint64_t copies = 5 + 3 * states;
  // Where shards do not wait for each other each worker has parameters and a
  // gradient of its own.
  if (JobPlan::For(spec).order_matters) copies += 2 * std::max(spec.workers().min(), 1u);
  return CheckFitsMemory("model: training it on the server",
                         copies * plan.layout.total_elements() * sizeof(float), bytes);
}

absl::StatusOr<std::unique_ptr<ParameterStore>> BuildParameterStore(const v1::JobSpec& spec,
                                                                    const LayerRegistry& layers) {
  const auto plan = PlanModel(spec, ExampleShape(spec), layers);
  if (!plan.ok()) return plan.status();
  const absl::Status fits = CheckServerMemory(spec, *plan, ReadMachineMemory().available_bytes);
  if (!fits.ok()) return fits;
  auto model = BuildModel(spec, ExampleShape(spec), layers);
  if (!model.ok()) return model.status();
  nn::ParameterLayout layout = nn::ParameterLayout::Of(**model);
  if (layout.total_elements() == 0) {
    return absl::InvalidArgumentError("model: got no parameters, want a layer that has some");
  }
  Tensor parameters = nn::CopyParameters(**model, layout);
  auto rules = MakeServerRules(spec, layout);
  if (!rules.ok()) return rules.status();
  const int64_t chunk_elements =
      ChunkElementsFor(layout.total_elements(), spec.tensor_digests().shards());
  auto store = std::make_unique<ParameterStore>(std::move(layout), *std::move(rules),
                                                std::move(parameters), chunk_elements);
  // What the model was built in is as large as the parameters, and of no use here.
  *model = nullptr;
  ReleaseStorageCache();
  return store;
}

absl::Status RestoreParameterStore(const v1::JobSpec& spec, const Checkpoint& checkpoint,
                                   bool is_forked, ParameterStore* store) {
  const uint64_t total_steps = JobPlan::For(spec).total_steps;
  if (is_forked && checkpoint.step >= total_steps) {
    return absl::InvalidArgumentError(absl::StrCat("steps: got ", total_steps,
                                                   " in all, want more than the ", checkpoint.step,
                                                   " that the checkpoint has behind it"));
  }
  if (checkpoint.step > total_steps) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: got step ", checkpoint.step, ", want at most ", total_steps));
  }
  if (auto status = store->LoadParameters(checkpoint.parameters); !status.ok()) return status;
  if (is_forked && spec.forked_from().fresh_optimizer()) return absl::OkStatus();
  return store->LoadOptimizerState(checkpoint.optimizer_state);
}

}  // namespace lockstep::server
