// The proof that every training example is used exactly once: which shards of
// which step have gone into the parameters, recorded apart from the trees that
// sum them. Saved with every checkpoint, so that it always speaks of the same
// steps as the parameters beside it.
#ifndef LOCKSTEP_SERVER_SHARD_LEDGER_H_
#define LOCKSTEP_SERVER_SHARD_LEDGER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/model/job_plan.h"
#include "engine/shard_tree.h"
#include "lockstep/v1/job_service.pb.h"

namespace lockstep::server {

// Threads: none of its own; the owner locks.
class ShardLedger {
 public:
  explicit ShardLedger(const JobPlan& plan);

  // A step opens: nothing of it has been recorded.
  void Begin();
  // The examples of these shards are part of the step that goes on. Called for
  // each sum that counts, not for copies that were dropped.
  void Record(const ShardNode& node);
  // The step becomes part of the parameters.
  void Commit(uint64_t step);

  // Where shards do not wait for each other, and several steps are open at once:
  // one of the shards of a step; then the steps from the oldest that are whole
  // are committed. CommitBefore: all before `end`, whole or not.
  void RecordAlone(uint64_t step, int shard);
  void CommitBefore(uint64_t end);
  // The oldest step that has not been committed.
  uint64_t next_step() const { return next_step_; }

  // Examples of committed steps whose gradient the parameters hold.
  uint64_t consumed() const { return consumed_; }
  // Examples that they lack, or hold more often than once. Each is 0, or there
  // is a defect.
  uint64_t lost() const { return lost_; }
  uint64_t twice() const { return twice_; }
  // Examples in all steps of the job.
  uint64_t total() const { return ExamplesBefore(plan_.total_steps); }

  v1::ExampleLedger Describe() const;

  // To and from a checkpoint's metadata. Where it has none (a file of an older
  // server), all steps before `step` count as consumed once.
  void Save(std::map<std::string, std::string>* metadata) const;
  void Load(const std::map<std::string, std::string>& metadata, uint64_t step);

 private:
  uint64_t ExamplesBefore(uint64_t step) const;
  uint64_t ExamplesOf(uint64_t step, int shard) const;
  bool IsWhole(uint64_t step, const std::vector<uint32_t>& times) const;

  const JobPlan plan_;
  std::vector<uint32_t> times_;                     // by shard, of the step that goes on
  std::map<uint64_t, std::vector<uint32_t>> open_;  // by step: RecordAlone
  uint64_t next_step_ = 0;                          // all before it are committed
  uint64_t consumed_ = 0;
  uint64_t lost_ = 0;
  uint64_t twice_ = 0;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SHARD_LEDGER_H_
