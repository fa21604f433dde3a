// What several workers say of one node of the shard tree in one round. Equal
// shards have equal bits, so whoever differs from two others is broken.
//
// A node's answer has parts: each chunk of its gradient, and its losses. Each is
// compared on its own, by digest (sum_digest.h).
//   audit         a part counts only when two workers have said the same
//   speculation   the first answer counts; the second is compared with it
#ifndef LOCKSTEP_SERVER_NODE_BALLOT_H_
#define LOCKSTEP_SERVER_NODE_BALLOT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lockstep::server {

// Threads: none of its own; the owner locks.
class NodeBallot {
 public:
  enum class Kind { kAudit, kSpeculation };

  struct Verdict {
    // The answer that was given last counts: add it. Once for each part.
    bool add = false;
    // What counted is now known to be wrong: the step must not be committed.
    bool tainted = false;
    // Whom this has shown to be wrong.
    std::set<std::string> wrong;
  };

  NodeBallot(Kind kind, int parts) : kind_(kind), parts_(parts) {}

  Kind kind() const { return kind_; }
  int parts() const { return static_cast<int>(parts_.size()); }
  // A part that counted before anybody looked: it is not compared.
  void CloseUnseen(int part) { parts_[part].unseen = true; }
  // A worker has been asked for the node (again).
  void Ask(const std::string& worker) { ++asked_[worker]; }
  // It was asked and has not answered after all.
  void TakeBack(const std::string& worker) { --asked_[worker]; }
  // It is gone: what it said still counts, but not as the next one's of its name.
  void Leave(const std::string& worker);
  int times_asked(const std::string& worker) const;

  // A worker's answer. `alone`: there is nobody else to ask, so that the same
  // answer twice from one worker is enough. A worker that contradicts itself is
  // wrong, and what it said is not believed.
  Verdict Cast(const std::string& worker, int part, uint64_t digest, bool alone);

  // Whether somebody else must be asked before the round can end: an audit that
  // is not decided, or answers that differ.
  bool NeedsOpinion() const;
  // Whether any answers differ and no two workers agree.
  bool InConflict() const;
  // The workers whose answers differ, "a, b".
  std::string Disputants() const;
  // As an audit, with all that has been said so far, for the round in which
  // the step is done again.
  NodeBallot AsAudit() const;

 private:
  struct Opinion {
    std::string worker;
    uint64_t digest = 0;
    int times = 1;
  };
  struct Part {
    std::vector<Opinion> opinions;
    std::optional<uint64_t> counts;  // the digest of what has been added
    bool agreed = false;             // by two workers
    bool unseen = false;

    bool InConflict() const;
  };

  // Notes the answer; false: it is not to be believed.
  bool Note(Part& part, const std::string& worker, uint64_t digest, Verdict& verdict);
  static bool HasSupport(const Part& part, uint64_t digest, bool alone);

  Kind kind_;
  std::vector<Part> parts_;
  std::map<std::string, int> asked_;
  std::set<std::string> barred_;  // have contradicted themselves
  int gone_ = 0;                  // so many have left
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_NODE_BALLOT_H_
