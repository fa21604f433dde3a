#include "engine/nn/training_scope.h"

namespace lockstep::nn {
namespace {

thread_local TrainingScope* current = nullptr;

}  // namespace

TrainingScope::TrainingScope(const Options& options) : options_(options), outer_(current) {
  current = this;
}

TrainingScope::~TrainingScope() { current = outer_; }

TrainingScope* TrainingScope::Current() { return current; }

}  // namespace lockstep::nn
