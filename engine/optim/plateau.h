// A learning rate that falls where the validation loss does no longer.
// Source: torch.optim.lr_scheduler.ReduceLROnPlateau, mode "min", relative
// threshold.
#ifndef LOCKSTEP_ENGINE_OPTIM_PLATEAU_H_
#define LOCKSTEP_ENGINE_OPTIM_PLATEAU_H_

#include <cstdint>
#include <map>
#include <string>

namespace lockstep::optim {

struct PlateauOptions {
  double factor = 0.1;      // of each drop, 0 < factor < 1
  uint64_t patience = 10;   // epochs without progress that are borne
  double threshold = 1e-4;  // progress: a loss below best * (1 - threshold), 0 to below 1
  uint64_t cooldown = 0;    // epochs after a drop in which none is counted
  double least_factor = 0;  // it falls no further, 0 to 1
};

// Everything is a function of the losses observed, in their order.
class Plateau {
 public:
  explicit Plateau(const PlateauOptions& options = {}) : options_(options) {}

  // Of the learning rate; 1 before the first observation.
  double factor() const { return factor_; }

  // An epoch's validation loss, `step` being the steps done. One of a step that
  // has been observed is not observed again.
  void Observe(uint64_t step, double loss);

  // The state as text that reads back exactly, for checkpoints; Load takes what
  // Save gave and leaves what is missing or no number.
  void Save(std::map<std::string, std::string>* metadata) const;
  void Load(const std::map<std::string, std::string>& metadata);

 private:
  PlateauOptions options_;
  double factor_ = 1;
  bool observed_ = false;
  double best_ = 0;  // the least loss that was progress; of nothing before observed_
  uint64_t bad_epochs_ = 0;
  uint64_t cooldown_left_ = 0;
  uint64_t last_step_ = 0;
};

}  // namespace lockstep::optim

#endif  // LOCKSTEP_ENGINE_OPTIM_PLATEAU_H_
