#include "engine/model/initial_values.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/check.h"
#include "engine/nn/initializers.h"

namespace lockstep {
namespace {

// Orthogonal vectors cost the square of their number: more would take minutes.
constexpr int64_t kMostOrthogonalVectors = 4096;

bool IsBias(absl::string_view name) {
  const absl::string_view own = name.substr(name.rfind('.') + 1);
  return absl::StartsWith(own, "bias") || absl::EndsWith(own, "_bias");
}

bool IsMeant(const nn::NamedParameter& parameter, InitialValues::Which which) {
  const bool bias = IsBias(parameter.name);
  if (which == InitialValues::Which::kBiases) return bias;
  return !bias && parameter.variable.shape().rank() >= 2;
}

absl::Status CheckShape(const v1::InitializerChoice& choice, const nn::NamedParameter& parameter) {
  const Shape& shape = parameter.variable.shape();
  const bool any_shape = choice.has_constant() || choice.has_uniform() || choice.has_normal() ||
                         choice.has_truncated_normal();
  if (any_shape) return absl::OkStatus();
  if (shape.rank() < 2) {
    return absl::InvalidArgumentError(absl::StrCat("got an initializer that needs two axes for ",
                                                   parameter.name, " of shape ", shape.ToString(),
                                                   ", want constant, uniform or normal"));
  }
  const int64_t columns = shape.element_count() / shape.dim(0);
  if (choice.has_orthogonal() && std::min(shape.dim(0), columns) > kMostOrthogonalVectors) {
    return absl::InvalidArgumentError(
        absl::StrCat("got orthogonal for ", parameter.name, " of shape ", shape.ToString(),
                     ", want at most ", kMostOrthogonalVectors, " rows or columns"));
  }
  return absl::OkStatus();
}

nn::FanMode ModeOf(v1::Fan fan) {
  return fan == v1::FAN_OUT ? nn::FanMode::kFanOut : nn::FanMode::kFanIn;
}

void Initialize(const v1::InitializerChoice& choice, const nn::InitialValueKey& key,
                const autograd::Variable& parameter) {
  using Choice = v1::InitializerChoice;
  switch (choice.initializer_case()) {
    case Choice::kConstant:
      return nn::InitializeConstant(choice.constant().value(), parameter);
    case Choice::kUniform:
      return nn::InitializeUniform(key, choice.uniform().bound(), parameter);
    case Choice::kNormal:
      return nn::InitializeNormal(key, choice.normal().mean(), choice.normal().standard_deviation(),
                                  parameter);
    case Choice::kTruncatedNormal: {
      const v1::TruncatedNormalValues& normal = choice.truncated_normal();
      const float reach = normal.cut() * normal.standard_deviation();
      return nn::InitializeTruncatedNormal(key, normal.mean(), normal.standard_deviation(),
                                           normal.mean() - reach, normal.mean() + reach, parameter);
    }
    case Choice::kXavierUniform:
      return nn::InitializeXavierUniform(key, choice.xavier_uniform().gain(), parameter);
    case Choice::kXavierNormal:
      return nn::InitializeXavierNormal(key, choice.xavier_normal().gain(), parameter);
    case Choice::kKaimingUniform:
      return nn::InitializeKaimingUniform(key, choice.kaiming_uniform().gain(),
                                          ModeOf(choice.kaiming_uniform().fan()), parameter);
    case Choice::kKaimingNormal:
      return nn::InitializeKaimingNormal(key, choice.kaiming_normal().gain(),
                                         ModeOf(choice.kaiming_normal().fan()), parameter);
    case Choice::kOrthogonal:
      return nn::InitializeOrthogonal(key, choice.orthogonal().gain(), parameter);
    case Choice::INITIALIZER_NOT_SET:
      break;
  }
}

}  // namespace

absl::Status InitialValues::Add(const nn::Module& module, Which which,
                                const v1::InitializerChoice& choice) {
  for (const nn::NamedParameter& parameter : module.NamedParameters()) {
    if (!IsMeant(parameter, which)) continue;
    const absl::Status status = CheckShape(choice, parameter);
    if (!status.ok()) return status;
    choices_.push_back({parameter.variable, choice});
  }
  return absl::OkStatus();
}

void InitialValues::Apply(uint64_t key, const nn::Module& model) const {
  std::map<const autograd::Node*, uint64_t> places;
  for (const nn::NamedParameter& parameter : model.NamedParameters()) {
    places.emplace(parameter.variable.node().get(), places.size());
  }
  for (const Choice& choice : choices_) {
    const auto place = places.find(choice.parameter.node().get());
    LOCKSTEP_CHECK(place != places.end(), "initial values of a parameter that the model lacks");
    Initialize(choice.initializer, {key, place->second}, choice.parameter);
  }
}

}  // namespace lockstep
