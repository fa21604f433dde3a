// How a JobRunner takes in what workers answer: chunks of gradients, and nodes'
// results.
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/kernels/bfloat16.h"
#include "engine/tensor_digest.h"
#include "server/job_runner.h"
#include "server/sum_digest.h"

namespace lockstep::server {

absl::Status JobRunner::CheckGradientChunk(const Participant& participant,
                                           const v1::GradientChunk& message,
                                           int64_t elements) const {
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  if (participant.outstanding.count(node) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got shards [", node.first, ", ",
                                                   node.end, "), want a node that was handed out"));
  }
  if (participant.outstanding.at(node).held) {
    return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got shards [", node.first, ", ",
                                                   node.end, "), want a node that may be sent"));
  }
  if (message.chunk() >= static_cast<uint32_t>(store_->chunk_count()) ||
      elements != store_->ChunkElements(message.chunk())) {
    return absl::InvalidArgumentError(absl::StrCat("gradient_chunk: got chunk ", message.chunk(),
                                                   " with ", elements, " elements, want one of ",
                                                   store_->chunk_count(), " chunks, whole"));
  }
  return absl::OkStatus();
}

uint64_t JobRunner::DigestOfGradient(const Tensor& values) const {
  if (spec_.gradient_format() != v1::GRADIENT_FORMAT_BFLOAT16) {
    return DigestOf(values.span<float>());
  }
  // Through shared memory they come before they are rounded.
  Tensor rounded = values.Clone();
  kernels::RoundToBfloat16(rounded.span<float>());
  return DigestOf(std::as_const(rounded).span<float>());
}

void JobRunner::KeepShardDigest(const ShardNode& node, int chunk, uint64_t digest) {
  const size_t row = static_cast<size_t>(node.first) * store_->chunk_count();
  shard_chunk_digests_[row + chunk] = digest;
}

absl::Status JobRunner::OnGradientChunk(const std::string& name, const v1::GradientChunk& message,
                                        Tensor values) {
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  const int chunk = static_cast<int>(message.chunk());
  const auto digest = [&values] {
    return SumDigest(static_cast<const Tensor&>(values).data<float>(),
                     values.element_count() * sizeof(float));
  };
  const bool keeps_digest = spec_.tensor_digests().shards() && node.size() == 1;
  const uint64_t kept_digest = keeps_digest ? DigestOfGradient(values) : 0;
  std::shared_ptr<StepAggregation> aggregation;
  bool contested = false;
  {
    absl::MutexLock lock(&mutex_);
    Participant* const found = participants_.Find(name);
    if (ended_ || found == nullptr) return absl::OkStatus();
    if (!in_round_ || message.round() != round_ || found->quarantined) {
      const bool compared = HasPastBallot(message.round(), node) && values.element_count() > 0;
      TakeLateAnswer(name, *found, message.round(), node, chunk, compared ? digest() : 0);
      return absl::OkStatus();
    }
    const auto status = CheckGradientChunk(*found, message, values.element_count());
    if (!status.ok()) return status;
    Outstanding& outstanding = found->outstanding.at(node);
    if (outstanding.chunks[chunk]) return absl::OkStatus();
    outstanding.chunks[chunk] = true;
    --outstanding.missing;
    contested = ballots_.count(node) > 0;
    if (keeps_digest && !contested) KeepShardDigest(node, chunk, kept_digest);
    aggregation = aggregation_;
    adding_.insert(node.first);
  }
  const uint64_t bits = contested ? digest() : 0;
  if (contested) {
    absl::MutexLock lock(&mutex_);
    if (ended_ || aggregation != aggregation_ || !CastVote(name, node, chunk, bits)) {
      NoteAdded(node);
      if (!ended_ && aggregation == aggregation_) GiveCredit();
      return absl::OkStatus();
    }
    // Of the answer that counts: another one's may be wrong.
    if (keeps_digest) KeepShardDigest(node, chunk, kept_digest);
  }
  const auto complete = aggregation->Add(chunk, node, std::move(values));
  absl::MutexLock lock(&mutex_);
  NoteAdded(node);
  if (ended_ || aggregation != aggregation_) return absl::OkStatus();
  for (int done = complete.first; done < complete.end; ++done) {
    PublishChunk(done);
    ++chunks_done_;
  }
  if (contested || node.first < losses_->FirstMissing()) GiveCredit();
  if (complete.first < complete.end) FinishRoundIfDone();
  return absl::OkStatus();
}

absl::Status JobRunner::CheckNodeResult(const Participant& participant,
                                        const v1::NodeResult& message) const {
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  const auto outstanding = participant.outstanding.find(node);
  if (outstanding == participant.outstanding.end() || outstanding->second.missing > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got shards [", node.first, ", ", node.end,
                     "), want a node that was handed out and whose chunks have all been sent"));
  }
  const int64_t examples = RoundExamples();
  const int64_t want =
      ShardBegin(node.end, plan_.shards, examples) - ShardBegin(node.first, plan_.shards, examples);
  if (message.examples() != static_cast<uint64_t>(want)) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got ", message.examples(), " examples, want ", want));
  }
  const uint64_t labels = message.examples() * plan_.labels_per_example;
  if (message.predictions() > labels || message.correct() > message.predictions()) {
    return absl::InvalidArgumentError(
        absl::StrCat("node_result: got ", message.correct(), " of ", message.predictions(),
                     " answers right, want no more than there are of the ", labels, " labels"));
  }
  return absl::OkStatus();
}

absl::Status JobRunner::OnNodeResult(const std::string& name, const v1::NodeResult& message) {
  absl::MutexLock lock(&mutex_);
  Participant* const found = participants_.Find(name);
  if (ended_ || found == nullptr) return absl::OkStatus();
  Participant& participant = *found;
  const ShardNode node{static_cast<int>(message.first_shard()),
                       static_cast<int>(message.end_shard())};
  if (message.skipped()) {
    OnSkipped(name, participant, message.round(), node);
    return absl::OkStatus();
  }
  const Losses losses{message.loss_sum(), message.correct(), message.predictions()};
  const uint64_t digest = SumDigest(&losses, sizeof(losses));
  if (!in_round_ || message.round() != round_ || participant.quarantined) {
    participant.late.erase({message.round(), node});
    TakeLateAnswer(name, participant, message.round(), node, -1, digest);
    if (!ended_ && in_round_ && participant.late.empty()) GoOn();
    return absl::OkStatus();
  }
  if (const auto status = CheckNodeResult(participant, message); !status.ok()) return status;
  constexpr size_t kLongestAnomaly = 1000;
  if (!message.anomaly().empty() && message.anomaly().size() <= kLongestAnomaly) {
    anomalies_[node] = absl::StrCat("worker ", name, ": ", message.anomaly());
  }
  participant.outstanding.erase(node);
  NoteAnswered(participant);
  if (ballots_.count(node) == 0 || CastVote(name, node, Parts() - 1, digest)) {
    CountLosses(name, node, losses);
  }
  if (ended_) return absl::OkStatus();
  // Of other nodes' ballots an answer changes nothing.
  if (ballots_.count(node) > 0) SettleBallots();
  if (ended_) return absl::OkStatus();
  GiveCredit();
  LetGo(name);
  FinishRoundIfDone();
  return absl::OkStatus();
}

void JobRunner::OnSkipped(const std::string& name, Participant& participant, uint64_t round,
                          const ShardNode& node) {
  participant.late.erase({round, node});
  // It lacks the parameters that it was sent: with its next node it gets them again.
  participant.version.reset();
  participant.follows = false;
  if (in_round_ && round == round_ && participant.outstanding.erase(node) > 0) {
    const auto ballot = ballots_.find(node);
    if (ballot == ballots_.end()) {
      freed_.push_back(node);
    } else {
      ballot->second.TakeBack(name);
    }
  }
  if (in_round_) GoOn();
}

void JobRunner::CountLosses(const std::string& name, const ShardNode& node, const Losses& losses) {
  if (losses_->Add(node, losses) == ReductionResult::kDuplicate) return;
  if (kind_ != v1::TRAIN) return;
  ledger_.Record(node);
  const auto ballot = ballots_.find(node);
  const bool audited =
      ballot != ballots_.end() && ballot->second.kind() == NodeBallot::Kind::kAudit;
  if (audited) {
    shards_audited_ += node.size();
  } else if (Participant* const found = participants_.Find(name); found != nullptr) {
    found->unaudited_shards += node.size();
  }
}

void JobRunner::NoteAnswered(Participant& participant) {
  if (!participant.outstanding.empty() || participant.was_held) return;
  Pace().Add(now_() - participant.asked_at, participant.asked_shards);
}

}  // namespace lockstep::server
