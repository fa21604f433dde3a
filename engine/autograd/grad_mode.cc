#include "engine/autograd/grad_mode.h"

namespace lockstep::autograd {
namespace {

thread_local bool grad_enabled = true;

}  // namespace

bool GradEnabled() { return grad_enabled; }

NoGradGuard::NoGradGuard() : before_(grad_enabled) { grad_enabled = false; }
NoGradGuard::~NoGradGuard() { grad_enabled = before_; }

}  // namespace lockstep::autograd
