// Layers of a user's own, by name: what `custom: {name: ...}` in a job file
// stands for. Client, server and workers are given the same registry (all three
// look at a model), each in its main:
//
//   LayerRegistry layers;
//   layers.Add("swiglu", [](LayerOptions& options, const Shape& input)
//       -> absl::StatusOr<std::shared_ptr<nn::Module>> {
//     const int64_t hidden = options.WholeNumber("hidden", 1, 65536);
//     return std::make_shared<SwiGlu>(input.dim(-1), hidden);
//   });
//
// examples/custom_model/ is a whole one.
#ifndef LOCKSTEP_ENGINE_MODEL_LAYER_REGISTRY_H_
#define LOCKSTEP_ENGINE_MODEL_LAYER_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/nn/module.h"
#include "engine/shape.h"

namespace lockstep {

// The `options` of a custom layer, read with their ranges. Reading one that is
// missing or out of its range gives the default, or else the least value, and
// is remembered: the layer is then not used, and the user is told. So is an
// option that is there and was never asked for.
class LayerOptions {
 public:
  explicit LayerOptions(std::map<std::string, std::string> values) : values_(std::move(values)) {}

  // Without a default an option is required.
  int64_t WholeNumber(const std::string& name, int64_t least, int64_t most,
                      std::optional<int64_t> otherwise = std::nullopt);
  double Number(const std::string& name, double least, double most,
                std::optional<double> otherwise = std::nullopt);
  bool Flag(const std::string& name, bool otherwise);
  // One of `allowed`, which is not empty.
  std::string Word(const std::string& name, const std::vector<std::string>& allowed,
                   std::optional<std::string> otherwise = std::nullopt);

  // The first problem: the option's name and what is wrong with it. Nothing:
  // all is well so far.
  struct Problem {
    std::string option;
    std::string message;
  };
  std::optional<Problem> FirstProblem() const;

 private:
  // The option's text; null where it is missing.
  const std::string* Find(const std::string& name);
  void Refuse(const std::string& name, const std::string* got, const std::string& wanted);

  const std::map<std::string, std::string> values_;
  std::set<std::string> asked_;
  std::optional<Problem> problem_;
};

// A value type; copies share nothing. Threads: const calls from any thread,
// where the factories can stand it.
class LayerRegistry {
 public:
  // Makes the layer for examples of shape `input`. The same options and input
  // must give the same layer in every process. The parameters are made by
  // nn::MakeParameter, so that planning a model takes no memory. Errors:
  // InvalidArgument: what the input's shape should be.
  using Factory = std::function<absl::StatusOr<std::shared_ptr<nn::Module>>(LayerOptions& options,
                                                                            const Shape& input)>;

  // Errors: InvalidArgument: the name is not 1 to 64 characters of
  // [a-z0-9_]; AlreadyExists.
  absl::Status Add(const std::string& name, Factory factory);

  // Null: there is none of that name.
  const Factory* Find(const std::string& name) const;
  // In alphabetical order.
  std::vector<std::string> Names() const;

 private:
  std::map<std::string, Factory> factories_;
};

}  // namespace lockstep

#endif  // LOCKSTEP_ENGINE_MODEL_LAYER_REGISTRY_H_
