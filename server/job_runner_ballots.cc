// A JobRunner's nodes that have several workers: audits, speculation, disputes.
// job_runner_rounds.cc opens the round that they are part of.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/job_runner.h"
#include "server/shard_assignment.h"

namespace lockstep::server {
namespace {

// Rounds that have ended may still get an answer that is compared: as many as a
// straggler that is a few steps behind needs. Each costs 16 bytes a chunk and worker.
constexpr size_t kMostPastBallots = 16;

std::string ShardsText(const ShardNode& node) {
  if (node.size() == 1) return absl::StrCat("shard ", node.first);
  return absl::StrCat("shards ", node.first, " to ", node.end - 1);
}

}  // namespace

// ---- audits

std::vector<ShardNode> JobRunner::OpenAudits() {
  ballots_.clear();
  const auto disputed = disputes_.find(step_);
  if (kind_ == v1::TRAIN && disputed != disputes_.end()) ballots_ = disputed->second;
  for (const ShardNode& shard :
       ChooseAudited(spec_.seed(), step_, kind_, plan_.shards, spec_.audit())) {
    const bool inside = std::any_of(ballots_.begin(), ballots_.end(),
                                    [&](const auto& entry) { return entry.first.Contains(shard); });
    if (!inside) ballots_.emplace(shard, NodeBallot(NodeBallot::Kind::kAudit, Parts()));
  }
  std::vector<ShardNode> nodes;
  for (const auto& entry : ballots_) nodes.push_back(entry.first);
  return nodes;
}

void JobRunner::HandOutAudits(const std::vector<std::string>& names,
                              const std::vector<std::vector<ShardNode>>& nodes) {
  const size_t count = names.size();
  // Alone it is asked again when it has answered: SettleBallots.
  if (count < 2 || ballots_.empty()) return;
  std::vector<std::vector<ShardNode>> second(count);
  size_t turn = 0;
  for (size_t i = 0; i < count; ++i) {
    for (const ShardNode& node : nodes[i]) {
      if (ballots_.count(node) == 0) continue;
      second[(i + 1 + turn++ % (count - 1)) % count].push_back(node);
    }
  }
  HandOut(names, second);
}

// ---- speculation

void JobRunner::Tick() {
  absl::MutexLock lock(&mutex_);
  if (ended_ || !in_round_) return;
  std::optional<std::vector<std::string>> idle;  // as soon as somebody is late
  const absl::Time now = now_();
  const WorkPace& pace = Pace();
  for (auto& [name, participant] : participants_) {
    if (participant.outstanding.empty() || IsHeldBack(participant)) continue;
    const absl::Duration elapsed = now - participant.asked_at;
    const absl::Duration late = pace.LateAfter(participant.asked_shards);
    if (elapsed > pace.HangsAfter(participant.asked_shards)) {
      participant.link->Close(absl::UnavailableError(
          absl::StrCat("step ", step_, ": no answer for ", absl::ToInt64Seconds(elapsed),
                       " s, although heartbeats come; connect again")));
    } else if (elapsed > late) {
      if (!idle.has_value()) idle = IdleWorkers();
      if (!idle->empty()) Speculate(participant, &*idle);
    }
  }
}

void JobRunner::Speculate(const Participant& late, std::vector<std::string>* idle) {
  std::map<std::string, std::vector<ShardNode>> shares;
  size_t turn = 0;
  for (const auto& [node, outstanding] : late.outstanding) {
    // One that must not be sent yet may be done already.
    if (outstanding.held || HoldersOf(node) > 1) continue;
    const std::string& name = (*idle)[turn++ % idle->size()];
    auto ballot = ballots_.find(node);
    // One that has answered already cannot give a second opinion.
    if (ballot != ballots_.end() && ballot->second.times_asked(name) > 0) continue;
    if (ballot == ballots_.end()) {
      ballot = ballots_.emplace(node, NodeBallot(NodeBallot::Kind::kSpeculation, Parts())).first;
      for (size_t chunk = 0; chunk < outstanding.chunks.size(); ++chunk) {
        if (outstanding.chunks[chunk]) ballot->second.CloseUnseen(static_cast<int>(chunk));
      }
    }
    shards_speculated_ += node.size();
    shares[name].push_back(node);
  }
  for (const auto& [name, nodes] : shares) {
    idle->erase(std::find(idle->begin(), idle->end(), name));
    HandOut({name}, {nodes});
  }
}

int JobRunner::HoldersOf(const ShardNode& node) const {
  return static_cast<int>(std::count_if(
      participants_.begin(), participants_.end(),
      [&node](const auto& entry) { return entry.second.outstanding.count(node) > 0; }));
}

// ---- opinions

std::string JobRunner::NextToAsk(const ShardNode& node, const NodeBallot& ballot) const {
  const std::vector<std::string> names = participants_.Ready();
  // Each is asked twice: who contradicts itself is found. More often helps only
  // where nobody else is there.
  const int most = names.size() == 1 ? std::numeric_limits<int>::max() : 2;
  // Least asked first, and of those one that is not behind.
  const auto rank = [&](const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::make_pair(ballot.times_asked(name), participants_.at(name).late.size());
  };
  std::string best;
  for (const std::string& name : names) {
    if (participants_.at(name).outstanding.count(node) > 0) continue;
    if (ballot.times_asked(name) >= most) continue;
    if (best.empty() || rank(name) < rank(best)) best = name;
  }
  return best;
}

void JobRunner::SettleBallots() {
  std::vector<ShardNode> needed;
  for (auto entry = ballots_.begin(); entry != ballots_.end();) {
    const auto& [node, ballot] = *entry;
    const bool answered = losses_->IsCovered(node);
    const bool open = ballot.NeedsOpinion() || !answered;
    if (!open || HoldersOf(node) > 0) {
      ++entry;
      continue;
    }
    if (ballot.kind() == NodeBallot::Kind::kSpeculation && !ballot.InConflict()) {
      // Nobody has finished it: as any other node that nobody works on.
      freed_.push_back(node);
      entry = ballots_.erase(entry);
      continue;
    }
    needed.push_back(node);
    ++entry;
  }
  if (needed.empty()) return;
  if (stop_.has_value() && participants_.CountReady() == 0) return EndUnfinished();
  const bool enough = stop_.has_value() || participants_.CountReady() >= spec_.workers().min();
  SetWaiting(!enough);
  if (!enough) return;
  for (const ShardNode& node : needed) {
    const std::string name = NextToAsk(node, ballots_.at(node));
    if (!name.empty()) HandOut({name}, {{node}});
  }
}

bool JobRunner::CastVote(const std::string& name, const ShardNode& node, int part,
                         uint64_t digest) {
  const auto found = ballots_.find(node);
  if (found == ballots_.end()) return true;
  const bool alone = participants_.CountReady() == 1;
  const NodeBallot::Verdict verdict = found->second.Cast(name, part, digest, alone);
  for (const std::string& wrong : verdict.wrong) Quarantine(wrong, step_, node);
  if (verdict.tainted) {
    GoBack(step_,
           absl::StrCat("a wrong sum of ", ShardsText(node), " had counted in step ", step_));
    return false;
  }
  if (!verdict.wrong.empty()) GoOn();
  return verdict.add;
}

bool JobRunner::InConflict() const {
  return std::any_of(ballots_.begin(), ballots_.end(),
                     [](const auto& entry) { return entry.second.InConflict(); });
}

void JobRunner::KeepBallots() {
  for (auto& [node, ballot] : ballots_) {
    if (kind_ != v1::TRAIN || ballot.kind() != NodeBallot::Kind::kSpeculation) continue;
    past_ballots_.push_back({round_, step_, node, std::move(ballot)});
  }
  ballots_.clear();
  while (past_ballots_.size() > kMostPastBallots) past_ballots_.pop_front();
}

bool JobRunner::HasPastBallot(uint64_t round, const ShardNode& node) const {
  return std::any_of(past_ballots_.begin(), past_ballots_.end(), [&](const PastBallot& past) {
    return past.round == round && past.node == node;
  });
}

void JobRunner::TakeLateAnswer(const std::string& name, Participant& participant, uint64_t round,
                               const ShardNode& node, int part, uint64_t digest) {
  ++answers_dropped_;
  if (participant.quarantined) return;
  for (PastBallot& past : past_ballots_) {
    if (past.round != round || past.node != node) continue;
    // A pass over validation examples has losses alone, whatever the present round has.
    const int losses = past.ballot.parts() - 1;
    if (part > losses) return;
    const auto verdict = past.ballot.Cast(name, part < 0 ? losses : part, digest, false);
    for (const std::string& wrong : verdict.wrong) Quarantine(wrong, past.step, node);
    if (!past.ballot.InConflict() && !verdict.tainted) {
      if (!verdict.wrong.empty()) GoOn();
      return;
    }
    disputes_[past.step].emplace(node, past.ballot.AsAudit());
    return GoBack(past.step, absl::StrCat(past.ballot.Disputants(), " give different sums of ",
                                          ShardsText(node), " in step ", past.step));
  }
}

// ---- what follows from them

void JobRunner::Quarantine(const std::string& name, uint64_t step, const ShardNode& node) {
  std::string reason = absl::StrCat("wrong sum of ", ShardsText(node), " in step ", step);
  Participant* const found = participants_.Find(name);
  if (found != nullptr) {
    Participant& participant = *found;
    if (participant.quarantined) return;
    participant.quarantined = true;
    FreeNodesOf(participant);
    if (participant.unaudited_shards > 0) {
      absl::StrAppend(&reason, "; ", participant.unaudited_shards,
                      " shards of its counted without a second opinion");
    }
  }
  host_->OnQuarantine(job_id_, name, absl::StrCat(job_id_, ": ", reason));
}

void JobRunner::GoBack(uint64_t step, const std::string& reason) {
  Rewind rewind;
  rewind.step = step;
  rewind.reason = reason;
  rewind.disputes = std::move(disputes_);
  rewind.next_round = round_ + 1;
  rewind.shards_audited = shards_audited_;
  rewind.shards_speculated = shards_speculated_;
  rewind.answers_dropped = answers_dropped_;
  rewind.most_sums = MostSums();
  ended_ = true;
  in_round_ = false;
  aggregation_ = nullptr;
  host_->OnEvent(job_id_, "went_back",
                 absl::StrCat("to the newest checkpoint up to step ", step, ": ", reason));
  host_->OnRewind(job_id_, std::move(rewind));
}

std::string JobRunner::DisputeReason() const {
  for (const auto& [node, ballot] : ballots_) {
    if (!ballot.InConflict() || HoldersOf(node) > 0) continue;
    return absl::StrCat("waiting for another worker to decide: ", ballot.Disputants(),
                        " give different sums of ", ShardsText(node), " in step ", step_);
  }
  return "";
}

absl::Duration JobRunner::Lease(absl::Duration least) const {
  absl::MutexLock lock(&mutex_);
  return training_pace_.Lease(least);
}

}  // namespace lockstep::server
