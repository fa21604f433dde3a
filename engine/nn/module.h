// A layer, or a network of layers: a function of a batch with parameters.
#ifndef LOCKSTEP_ENGINE_NN_MODULE_H_
#define LOCKSTEP_ENGINE_NN_MODULE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/autograd/variable.h"
#include "engine/shape.h"

namespace lockstep::nn {

enum class ParameterKind {
  // What the optimizer changes.
  kTrained,
  // What batch normalisation remembers. Where a trained parameter has its
  // gradient this has the sum over the examples of what they observed, and a
  // step makes it (1 - momentum) * old + momentum * (sum / batch size). So it
  // travels, meets in the shard tree and is kept like any parameter.
  kRunningStatistic,
};

struct NamedParameter {
  // As in torch.nn: "weight"; within a Sequential "0.weight".
  std::string name;
  // A leaf that requires a gradient; the module's own handle.
  autograd::Variable variable;
  ParameterKind kind = ParameterKind::kTrained;
  float momentum = 0;  // kRunningStatistic: above
};

// A parameter without elements: Module::Initialize or BindParameters
// (parameter_layout.h) gives it some.
autograd::Variable MakeParameter(Shape shape);

// Threads: as for Variable: one thread at a time, unless under NoGradGuard,
// where Forward may run on several.
class Module {
 public:
  virtual ~Module() = default;

  // Shapes: [batch, example axes...] in and out. Requires: an input whose
  // example shape OutputShape accepts, parameters with elements; aborts
  // otherwise. Training or evaluation: as TrainingScope (training_scope.h) says.
  virtual autograd::Variable Forward(const autograd::Variable& input) const = 0;

  // Shape of one example's output (no batch axis) for one example's input.
  // Errors: InvalidArgument, naming the shape got and what is wanted.
  virtual absl::StatusOr<Shape> OutputShape(const Shape& example_shape) const = 0;

  // In forward order, which is also the order of the flat parameter vector.
  virtual std::vector<NamedParameter> NamedParameters() const { return {}; }

  // Allocates the parameters where they are not and fills them with their
  // initial values, drawn from `key` (initializers.h). Parameter
  // i of NamedParameters() has the model-wide index first_parameter + i.
  virtual void Initialize(uint64_t key, uint64_t first_parameter = 0) = 0;

  // Whether a batch of several shards under ShardCuts gives the gradients of
  // shard after shard.
  virtual bool SupportsShardCuts() const = 0;

  // As PyTorch prints it: "Linear(in_features=2, out_features=3, bias=True)".
  virtual std::string Describe() const = 0;
};

// Gives the module's parameters another dtype, as torch's module.double(): values
// are converted, gradients and buffers forgotten. float64 is for gradient checks
// and reference computations; training's flat vectors (parameter_layout.h) are float32.
void ConvertParameters(const Module& module, DType dtype);

// Elements of all parameters together.
int64_t ParameterElementCount(const Module& module);

}  // namespace lockstep::nn

#endif  // LOCKSTEP_ENGINE_NN_MODULE_H_
