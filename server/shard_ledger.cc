#include "server/shard_ledger.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lockstep::server {
namespace {

constexpr char kNextStep[] = "ledger_next_step";
constexpr char kConsumed[] = "ledger_consumed";
constexpr char kLost[] = "ledger_lost";
constexpr char kTwice[] = "ledger_twice";

bool Read(const std::map<std::string, std::string>& metadata, const char* key, uint64_t* value) {
  const auto found = metadata.find(key);
  return found != metadata.end() && absl::SimpleAtoi(found->second, value);
}

}  // namespace

ShardLedger::ShardLedger(const JobPlan& plan) : plan_(plan), times_(plan.shards, 0) {}

uint64_t ShardLedger::ExamplesBefore(uint64_t step) const {
  return step / plan_.steps_per_epoch * plan_.training_examples +
         step % plan_.steps_per_epoch * plan_.batch_size;
}

void ShardLedger::Begin() { times_.assign(plan_.shards, 0); }

void ShardLedger::Record(const ShardNode& node) {
  for (int shard = node.first; shard < node.end; ++shard) ++times_[shard];
}

void ShardLedger::Commit(uint64_t step) {
  const int64_t examples = static_cast<int64_t>(plan_.Place(step).examples);
  if (step > next_step_) lost_ += ExamplesBefore(step) - ExamplesBefore(next_step_);
  for (int shard = 0; shard < plan_.shards; ++shard) {
    const uint64_t size =
        ShardBegin(shard + 1, plan_.shards, examples) - ShardBegin(shard, plan_.shards, examples);
    // A step before next_step_ has been committed once already.
    const uint64_t times = times_[shard] + (step < next_step_ ? 1 : 0);
    if (times == 0) lost_ += size;
    if (times > 1) twice_ += (times - 1) * size;
    if (times_[shard] > 0 && step >= next_step_) consumed_ += size;
  }
  next_step_ = std::max(next_step_, step + 1);
  Begin();
}

v1::ExampleLedger ShardLedger::Describe() const {
  v1::ExampleLedger ledger;
  ledger.set_consumed(consumed());
  ledger.set_total(total());
  ledger.set_lost(lost());
  ledger.set_twice(twice());
  return ledger;
}

void ShardLedger::Save(std::map<std::string, std::string>* metadata) const {
  (*metadata)[kNextStep] = absl::StrCat(next_step_);
  (*metadata)[kConsumed] = absl::StrCat(consumed_);
  (*metadata)[kLost] = absl::StrCat(lost_);
  (*metadata)[kTwice] = absl::StrCat(twice_);
}

void ShardLedger::Load(const std::map<std::string, std::string>& metadata, uint64_t step) {
  const bool whole = Read(metadata, kNextStep, &next_step_) &&
                     Read(metadata, kConsumed, &consumed_) && Read(metadata, kLost, &lost_) &&
                     Read(metadata, kTwice, &twice_);
  if (whole) return;
  next_step_ = step;
  consumed_ = ExamplesBefore(step);
  lost_ = twice_ = 0;
}

}  // namespace lockstep::server
