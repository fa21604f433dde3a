#include "server/node_ballot.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lockstep::server {

int NodeBallot::times_asked(const std::string& worker) const {
  const auto found = asked_.find(worker);
  return found == asked_.end() ? 0 : found->second;
}

void NodeBallot::Leave(const std::string& worker) {
  asked_.erase(worker);
  barred_.erase(worker);
  const std::string name = absl::StrCat(worker, " (gone, ", ++gone_, ")");
  for (Part& part : parts_) {
    for (Opinion& opinion : part.opinions) {
      if (opinion.worker == worker) opinion.worker = name;
    }
  }
}

bool NodeBallot::Part::InConflict() const {
  if (agreed || unseen || opinions.empty()) return false;
  const uint64_t one = counts.value_or(opinions.front().digest);
  return std::any_of(opinions.begin(), opinions.end(),
                     [one](const Opinion& opinion) { return opinion.digest != one; });
}

bool NodeBallot::Note(Part& part, const std::string& worker, uint64_t digest, Verdict& verdict) {
  if (barred_.count(worker) > 0) return false;
  const auto mine =
      std::find_if(part.opinions.begin(), part.opinions.end(),
                   [&worker](const Opinion& opinion) { return opinion.worker == worker; });
  if (mine == part.opinions.end()) {
    part.opinions.push_back({worker, digest});
    return true;
  }
  if (mine->digest == digest) {
    ++mine->times;
    return true;
  }
  part.opinions.erase(mine);
  barred_.insert(worker);
  verdict.wrong.insert(worker);
  return false;
}

bool NodeBallot::HasSupport(const Part& part, uint64_t digest, bool alone) {
  int workers = 0;
  int times = 0;
  for (const Opinion& opinion : part.opinions) {
    if (opinion.digest != digest) continue;
    ++workers;
    times += opinion.times;
  }
  return workers >= 2 || (alone && times >= 2);
}

NodeBallot::Verdict NodeBallot::Cast(const std::string& worker, int part_index, uint64_t digest,
                                     bool alone) {
  Verdict verdict;
  Part& part = parts_[part_index];
  if (part.unseen || !Note(part, worker, digest, verdict)) return verdict;
  const bool was_agreed = part.agreed;
  if (!was_agreed && HasSupport(part, digest, alone)) {
    part.agreed = true;
    verdict.tainted = part.counts.has_value() && *part.counts != digest;
    for (const Opinion& opinion : part.opinions) {
      if (opinion.digest != digest) verdict.wrong.insert(opinion.worker);
    }
  }
  if (was_agreed && digest != *part.counts) verdict.wrong.insert(worker);
  verdict.add = !part.counts.has_value() && (part.agreed || kind_ == Kind::kSpeculation);
  if (verdict.add || verdict.tainted) part.counts = digest;
  return verdict;
}

bool NodeBallot::InConflict() const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return part.InConflict(); });
}

bool NodeBallot::NeedsOpinion() const {
  if (kind_ == Kind::kSpeculation) return InConflict();
  return std::any_of(parts_.begin(), parts_.end(),
                     [](const Part& part) { return !part.agreed && !part.unseen; });
}

std::string NodeBallot::Disputants() const {
  std::set<std::string> names;
  for (const Part& part : parts_) {
    if (!part.InConflict()) continue;
    for (const Opinion& opinion : part.opinions) names.insert(opinion.worker);
  }
  return absl::StrJoin(names, ", ");
}

NodeBallot NodeBallot::AsAudit() const {
  NodeBallot audit(Kind::kAudit, static_cast<int>(parts_.size()));
  for (size_t i = 0; i < parts_.size(); ++i) {
    for (const Opinion& opinion : parts_[i].opinions) {
      audit.parts_[i].opinions.push_back({opinion.worker, opinion.digest});
    }
  }
  return audit;
}

}  // namespace lockstep::server
