// What a job measures while it trains: losses, pace, and validation at epochs'
// ends. It lives on in checkpoints, so that a job that goes on measures what an
// undisturbed one would have.
#ifndef LOCKSTEP_SERVER_TRAINING_MEASUREMENTS_H_
#define LOCKSTEP_SERVER_TRAINING_MEASUREMENTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "engine/model/job_plan.h"
#include "engine/optim/plateau.h"
#include "lockstep/v1/job_service.pb.h"
#include "server/reduction_tree.h"
#include "server/throughput.h"

namespace lockstep::server {

// What the examples of some shards gave.
struct Losses {
  double sum = 0;
  uint64_t correct = 0;
  uint64_t predictions = 0;
};
struct AddLosses {
  void operator()(Losses& into, Losses&& other) const {
    into.sum += other.sum;
    into.correct += other.correct;
    into.predictions += other.predictions;
  }
};
using LossTree = ReductionTree<Losses, AddLosses>;

// Threads: none of its own; the owner locks.
class TrainingMeasurements {
 public:
  // `epochs`: those measured before, oldest first.
  TrainingMeasurements(const JobPlan& plan, optim::Plateau plateau,
                       std::vector<v1::EpochMetrics> epochs);

  // More training examples have gone into the parameters, in `duration` of
  // work that ended at `now`. `loss_sum`: of their losses.
  void Add(absl::Time now, absl::Duration duration, uint64_t examples, double loss_sum);
  // An epoch's training ends after `step`, or the job does. Unset: without
  // validation examples.
  const v1::EpochMetrics& EndEpoch(uint64_t step, const std::optional<Losses>& validation);
  // Whether the newest validation loss is lower than all before.
  bool newest_is_best() const;
  // Whether validation has been measured after this step.
  bool IsMeasured(uint64_t step) const;

  // The schedule's factor for a loss that falls no further.
  double plateau_factor() const { return plateau_.factor(); }
  double training_seconds() const { return training_seconds_; }

  // To and from a checkpoint's metadata. `is_forked`: it is another job's, whose
  // time and losses are not this one's.
  void Save(std::map<std::string, std::string>* metadata) const;
  void Load(const std::map<std::string, std::string>& metadata, bool is_forked);

  // Fills what is known of a job with `step` committed steps; not its ledger.
  void Describe(uint64_t step, v1::Progress* progress) const;

 private:
  const JobPlan plan_;
  std::optional<double> training_loss_;  // the mean over what was added last
  double epoch_loss_sum_ = 0;
  uint64_t epoch_examples_ = 0;
  double epoch_seconds_ = 0;
  double training_seconds_ = 0;
  std::vector<v1::EpochMetrics> epochs_;
  // The step after which validation was measured last.
  std::optional<uint64_t> measured_step_;
  optim::Plateau plateau_;
  Throughput throughput_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_TRAINING_MEASUREMENTS_H_
