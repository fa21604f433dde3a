#include "engine/nn/module.h"

namespace lockstep::nn {

int64_t ParameterElementCount(const Module& module) {
  int64_t count = 0;
  for (const NamedParameter& parameter : module.NamedParameters()) {
    count += parameter.variable.value().element_count();
  }
  return count;
}

}  // namespace lockstep::nn
