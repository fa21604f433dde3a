#include "server/shard_ledger.h"

#include <algorithm>
#include <utility>

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

uint64_t ShardLedger::ExamplesOf(uint64_t step, int shard) const {
  const auto examples = static_cast<int64_t>(plan_.Place(step).examples);
  return static_cast<uint64_t>(ShardBegin(shard + 1, plan_.shards, examples) -
                               ShardBegin(shard, plan_.shards, examples));
}

bool ShardLedger::IsWhole(uint64_t step, const std::vector<uint32_t>& times) const {
  for (int shard = 0; shard < plan_.shards; ++shard) {
    if (times[shard] == 0 && ExamplesOf(step, shard) > 0) return false;
  }
  return true;
}

void ShardLedger::RecordAlone(uint64_t step, int shard) {
  std::vector<uint32_t>& times = open_[step];
  times.resize(plan_.shards, 0);
  ++times[shard];
  while (!open_.empty() && open_.begin()->first == next_step_ &&
         IsWhole(next_step_, open_.begin()->second)) {
    CommitBefore(next_step_ + 1);
  }
}

void ShardLedger::CommitBefore(uint64_t end) {
  while (!open_.empty() && open_.begin()->first < end) {
    times_ = std::move(open_.begin()->second);
    const uint64_t step = open_.begin()->first;
    open_.erase(open_.begin());
    Commit(step);
  }
  if (next_step_ >= end) return;
  lost_ += ExamplesBefore(end) - ExamplesBefore(next_step_);
  next_step_ = end;
}

void ShardLedger::Commit(uint64_t step) {
  if (step > next_step_) lost_ += ExamplesBefore(step) - ExamplesBefore(next_step_);
  for (int shard = 0; shard < plan_.shards; ++shard) {
    const uint64_t size = ExamplesOf(step, shard);
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
