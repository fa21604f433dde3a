#include "server/testing/cluster_simulation.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/send_credit.h"
#include "server/testing/hand_moved_job.h"

namespace lockstep::server {
namespace {

constexpr absl::Duration kLease = absl::Seconds(3);
// Far more than any life has needed: a job that stands still.
constexpr int kMostMoves = 400000;
constexpr char kJob[] = "job-1";

}  // namespace

ClusterSimulation::ClusterSimulation(SimulationOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      total_elements_(ElementsOfLinearModel(options_.spec)) {}

// ---- the server

void ClusterSimulation::WatchSums() {
  if (runner_ == nullptr) return;
  v1::Job job;
  runner_->FillProgress(&job);
  const uint32_t sums = job.progress().most_partial_sums();
  const int bound = SendCredit::Bound(static_cast<int>(options_.spec.shards()));
  if (sums > static_cast<uint32_t>(bound)) {
    trouble_ = absl::StrCat("the server held ", sums, " sums of a chunk, want at most ", bound);
  }
  most_sums_ = std::max(most_sums_, sums);
}

void ClusterSimulation::StartServer(std::optional<Rewind> rewind) {
  WatchSums();
  JobOptions options;
  options.job_id = kJob;
  options.spec = options_.spec;
  options.now = [this] { return now_ += absl::Microseconds(1); };
  options.host = this;
  uint64_t step = 0;
  if (!checkpoints_.empty()) {
    options.checkpoint = checkpoints_.back();
    step = checkpoints_.back().step;
  }
  epochs_.erase(std::remove_if(epochs_.begin(), epochs_.end(),
                               [step](const auto& epoch) { return epoch.step() > step; }),
                epochs_.end());
  options.epochs = epochs_;
  while (!arrivals_.empty() && arrivals_.back().step() > step) arrivals_.pop_back();
  auto runner = MakeRunner(std::move(options), std::move(rewind));
  if (!runner.ok()) {
    trouble_ = std::string(runner.status().message());
    return;
  }
  runner_ = *std::move(runner);
  for (const std::string& name : registry_.WorkersOf(kJob)) {
    runner_->AddWorker(name, registry_.Find(name)->link);
  }
}

absl::StatusOr<std::shared_ptr<JobExecution>> ClusterSimulation::MakeRunner(
    JobOptions options, std::optional<Rewind> rewind) const {
  if (JobPlan::For(options.spec).order_matters) {
    return AsyncRunner::Create({std::move(options), options_.replay});
  }
  return JobRunner::Create({std::move(options), std::move(rewind)});
}

void ClusterSimulation::KillServer() {
  ++happened_["server killed"];
  // The newest checkpoint may not have reached the disk.
  if (!checkpoints_.empty() && Chance(500)) checkpoints_.pop_back();
  to_quarantine_.clear();
  rewind_.reset();
  registry_ = WorkerRegistry();
  workers_.clear();
  StartServer(std::nullopt);
}

void ClusterSimulation::OnEpoch(const std::string&, const v1::EpochMetrics& metrics) {
  epochs_.push_back(metrics);
}

void ClusterSimulation::OnArrivals(const std::string&, const v1::Arrivals& arrivals) {
  arrivals_.push_back(arrivals);
}

void ClusterSimulation::OnCheckpoint(const std::string&, Checkpoint checkpoint) {
  checkpoints_.push_back(std::move(checkpoint));
}

void ClusterSimulation::OnEnded(const std::string&, v1::JobState state, const std::string& reason,
                                std::optional<Checkpoint> checkpoint) {
  ended_ = true;
  state_ = state;
  reason_ = reason;
  last_ = std::move(checkpoint);
}

void ClusterSimulation::OnQuarantine(const std::string&, const std::string& worker,
                                     const std::string& reason) {
  ++happened_["worker quarantined"];
  to_quarantine_[worker] = reason;
}

void ClusterSimulation::OnEvent(const std::string&, const std::string& kind, const std::string&) {
  ++happened_[kind];
}

void ClusterSimulation::OnRewind(const std::string&, Rewind rewind) { rewind_ = std::move(rewind); }

void ClusterSimulation::CarryOutWishes() {
  for (const auto& [name, reason] : std::exchange(to_quarantine_, {})) {
    registry_.Quarantine(name, reason);
    if (RegisteredWorker* worker = registry_.Find(name)) worker->job_id.clear();
    runner_->RemoveWorker(name);
  }
  if (!rewind_.has_value()) return;
  std::optional<Rewind> rewind = std::exchange(rewind_, std::nullopt);
  while (!checkpoints_.empty() && checkpoints_.back().step > rewind->step) checkpoints_.pop_back();
  StartServer(std::move(rewind));
}

// ---- workers

void ClusterSimulation::Join() {
  ++happened_["joined"];
  SimulatedWorker joining;
  joining.worker = std::make_shared<FakeWorker>(options_.spec, total_elements_);
  if (wild_ && Chance(150)) joining.slowness = options_.slowness;
  v1::Register self;
  self.set_protocol_version(kProtocolVersion);
  self.set_name("worker");
  self.set_pid(static_cast<uint32_t>(++joined_));
  const auto name = registry_.Add(self, joining.worker, now_);
  registry_.Find(*name)->job_id = kJob;
  runner_->AddWorker(*name, joining.worker);
  workers_[*name] = std::move(joining);
}

void ClusterSimulation::Disconnect(const std::string& name) {
  runner_->RemoveWorker(name);
  registry_.Remove(name);
  workers_.erase(name);
}

std::string ClusterSimulation::RandomWorker() {
  auto chosen = workers_.begin();
  std::advance(chosen, Dice(static_cast<uint32_t>(workers_.size())));
  return chosen->first;
}

void ClusterSimulation::WatchLeases() {
  for (auto& [name, simulated] : workers_) {
    RegisteredWorker* const registered = registry_.Find(name);
    if (registered != nullptr && now_ >= simulated.silent_until) registered->last_heard = now_;
  }
  const auto lease_of = [this](const RegisteredWorker&) { return runner_->Lease(kLease); };
  for (const std::string& name : registry_.Lapsed(now_, lease_of)) {
    ++happened_["lease lapsed"];
    registry_.Retire(name);
    runner_->RemoveWorker(name);
  }
  // A zombie's connection is closed; it is gone when it has noticed.
  for (auto it = workers_.begin(); it != workers_.end();) {
    const auto here = it++;
    const bool zombie = registry_.Find(here->first) == nullptr;
    const FakeWorker& worker = *here->second.worker;
    const bool awake = now_ >= here->second.silent_until;
    if (zombie && awake && !worker.has_answer() && !worker.has_work()) {
      const std::string name = here->first;
      Disconnect(name);
    }
  }
}

void ClusterSimulation::LetWork(const std::string& name) {
  SimulatedWorker& simulated = workers_.at(name);
  if (now_ < simulated.silent_until || Dice(simulated.slowness) > 0) return;
  FakeWorker& worker = *simulated.worker;
  const bool trusted = registry_.Find(name) != nullptr && registry_.Find(name)->quarantine.empty();
  if (!trusted && registry_.Find(name) != nullptr) {
    // An operator sees to it.
    if (Chance(100)) Disconnect(name);
    return;
  }
  if (worker.has_answer() && (simulated.leaving || !worker.has_work() || Chance(500))) {
    Deliver(name, worker.TakeAnswer());
  } else if (simulated.leaving) {
    ++happened_["left"];
    Disconnect(name);
  } else if (worker.has_work()) {
    worker.Work();
    if (!worker.closed().ok()) trouble_ = std::string(worker.closed().message());
  }
}

void ClusterSimulation::Spoil(FakeWorker::Answer* answer) {
  ++happened_["answer spoiled"];
  if (answer->message.has_node_result()) {
    if (answer->message.node_result().skipped()) return;
    v1::NodeResult& result = *answer->message.mutable_node_result();
    result.set_loss_sum(result.loss_sum() + 1e-3 * static_cast<double>(1 + Dice(1u << 30)));
  } else if (answer->message.has_gradient_chunk()) {
    const uint32_t bits = static_cast<uint32_t>(random_()) & 0x7effffff;  // never NaN
    const uint32_t at = Dice(static_cast<uint32_t>(answer->values.element_count()));
    std::memcpy(answer->values.data<float>() + at, &bits, sizeof(bits));
  }
}

void ClusterSimulation::Deliver(const std::string& name, FakeWorker::Answer answer) {
  if (wild_ && Chance(options_.wrong_answers)) Spoil(&answer);
  RegisteredWorker* const registered = registry_.Find(name);
  if (registered == nullptr) {
    ++happened_["zombie's answer dropped"];
    return;
  }
  const absl::Status status = DeliverAnswer(*runner_, name, answer);
  if (!status.ok()) trouble_ = absl::StrCat(name, ": ", std::string(status.message()));
}

// ---- lives

void ClusterSimulation::MakeTrouble(const std::string& name) {
  if (Chance(options_.kills)) {
    ++happened_["killed"];
    Disconnect(name);
  } else if (Chance(options_.stalls)) {
    ++happened_["stalled"];
    workers_.at(name).silent_until = now_ + absl::Milliseconds(Dice(8000));
  } else if (Chance(options_.leaves)) {
    workers_.at(name).leaving = true;
  } else if (Chance(options_.server_deaths)) {
    KillServer();
  }
}

void ClusterSimulation::Move(bool wild) {
  wild_ = wild;
  now_ += absl::Microseconds(Dice(20000));
  if (Chance(100)) {
    runner_->Tick();
    WatchLeases();
  }
  CarryOutWishes();
  if (!trouble_.empty() || ended_) return;
  const bool wants_more =
      wild ? Chance(options_.joins)
           : registry_.IdleWorkers().size() + registry_.WorkersOf(kJob).size() < 3;
  if (workers_.empty() || (wants_more && workers_.size() < options_.most_workers)) Join();
  const std::string name = RandomWorker();
  if (wild) MakeTrouble(name);
  if (workers_.count(name) > 0) LetWork(name);
  CarryOutWishes();
}

SimulationOutcome ClusterSimulation::Run() {
  StartServer(std::nullopt);
  while (workers_.size() < options_.first_workers) Join();
  for (int moves = 0; !ended_ && trouble_.empty(); ++moves) {
    if (moves == kMostMoves) {
      v1::Job job;
      runner_->FillProgress(&job);
      trouble_ =
          absl::StrCat("stands still at step ", job.progress().step(), ": ", job.state_reason());
      break;
    }
    Move(moves < options_.wild_moves);
  }
  return Outcome();
}

SimulationOutcome ClusterSimulation::RunCalmly() {
  wild_ = false;
  StartServer(std::nullopt);
  for (uint32_t i = 0; i < options_.spec.workers().min(); ++i) Join();
  for (int moves = 0; !ended_ && moves < kMostMoves; ++moves) LetWork(RandomWorker());
  return Outcome();
}

SimulationOutcome ClusterSimulation::Outcome() {
  WatchSums();
  SimulationOutcome outcome;
  outcome.most_sums = most_sums_;
  outcome.trouble = trouble_;
  outcome.epochs = epochs_;
  for (const v1::Arrivals& arrivals : arrivals_) outcome.arrivals.MergeFrom(arrivals);
  outcome.happened = happened_;
  runner_->FillProgress(&outcome.job);
  happened_["answer dropped"] += static_cast<int>(outcome.job.progress().answers_dropped());
  outcome.happened["shard audited"] = static_cast<int>(outcome.job.progress().shards_audited());
  outcome.happened["shard speculated"] =
      static_cast<int>(outcome.job.progress().shards_speculated());
  if (!outcome.trouble.empty()) return outcome;
  if (state_ != v1::SUCCEEDED || !last_.has_value()) {
    outcome.trouble = absl::StrCat("ended as ", v1::JobState_Name(state_), ": ", reason_);
    return outcome;
  }
  outcome.hash = HashOf(*last_);
  return outcome;
}

}  // namespace lockstep::server
