// Whether operations on this thread record how to compute gradients.
#ifndef LOCKSTEP_ENGINE_AUTOGRAD_GRAD_MODE_H_
#define LOCKSTEP_ENGINE_AUTOGRAD_GRAD_MODE_H_

namespace lockstep::autograd {

// True unless a NoGradGuard lives on this thread.
bool GradEnabled();

// While it lives, results on this thread have requires_grad false and keep no
// inputs alive: for evaluation. Guards nest.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  const bool before_;
};

}  // namespace lockstep::autograd

#endif  // LOCKSTEP_ENGINE_AUTOGRAD_GRAD_MODE_H_
