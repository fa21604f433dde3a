#include "server/node_ballot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = NodeBallot::Kind;

TEST(NodeBallotTest, AnAuditedPartCountsWhenTwoAgree) {
  NodeBallot ballot(Kind::kAudit, 2);
  EXPECT_FALSE(ballot.Cast("a", 0, 7, false).add);
  EXPECT_TRUE(ballot.NeedsOpinion());
  EXPECT_FALSE(ballot.InConflict());
  EXPECT_TRUE(ballot.Cast("b", 0, 7, false).add);
  EXPECT_TRUE(ballot.NeedsOpinion()) << "of the other part";
  EXPECT_FALSE(ballot.Cast("b", 1, 8, false).add);
  EXPECT_TRUE(ballot.Cast("a", 1, 8, false).add);
  EXPECT_FALSE(ballot.NeedsOpinion());
}

TEST(NodeBallotTest, AThirdOpinionDecidesAndNamesTheOddOneOut) {
  NodeBallot ballot(Kind::kAudit, 1);
  ballot.Cast("a", 0, 7, false);
  EXPECT_FALSE(ballot.Cast("b", 0, 6, false).add);
  EXPECT_TRUE(ballot.InConflict());
  EXPECT_EQ(ballot.Disputants(), "a, b");
  const NodeBallot::Verdict verdict = ballot.Cast("c", 0, 7, false);
  EXPECT_TRUE(verdict.add);
  EXPECT_FALSE(verdict.tainted);
  EXPECT_THAT(verdict.wrong, ElementsAre("b"));
  EXPECT_THAT(ballot.Cast("d", 0, 5, false).wrong, ElementsAre("d")) << "too late to matter";
}

TEST(NodeBallotTest, OneWorkerDoesNotConfirmItselfWhileThereAreOthers) {
  NodeBallot ballot(Kind::kAudit, 1);
  ballot.Cast("a", 0, 7, false);
  ballot.Cast("b", 0, 6, false);
  EXPECT_FALSE(ballot.Cast("b", 0, 6, false).add);
  EXPECT_FALSE(ballot.Cast("a", 0, 7, false).add);
  EXPECT_TRUE(ballot.InConflict());
}

TEST(NodeBallotTest, AloneItDoes) {
  NodeBallot ballot(Kind::kAudit, 1);
  EXPECT_FALSE(ballot.Cast("a", 0, 7, true).add);
  EXPECT_TRUE(ballot.NeedsOpinion());
  EXPECT_TRUE(ballot.Cast("a", 0, 7, true).add);
  EXPECT_FALSE(ballot.NeedsOpinion());
}

TEST(NodeBallotTest, WhoContradictsItselfIsWrongAndNotBelieved) {
  NodeBallot ballot(Kind::kAudit, 1);
  ballot.Cast("a", 0, 7, false);
  ballot.Cast("b", 0, 6, false);
  const NodeBallot::Verdict verdict = ballot.Cast("b", 0, 7, false);
  EXPECT_FALSE(verdict.add);
  EXPECT_THAT(verdict.wrong, ElementsAre("b"));
  EXPECT_FALSE(ballot.InConflict());
  EXPECT_TRUE(ballot.NeedsOpinion());
  EXPECT_TRUE(ballot.Cast("c", 0, 7, false).add);
}

TEST(NodeBallotTest, InSpeculationTheFirstCountsAndTheSecondIsCompared) {
  NodeBallot ballot(Kind::kSpeculation, 1);
  EXPECT_TRUE(ballot.Cast("fast", 0, 7, false).add);
  EXPECT_FALSE(ballot.NeedsOpinion());
  const NodeBallot::Verdict verdict = ballot.Cast("slow", 0, 7, false);
  EXPECT_FALSE(verdict.add);
  EXPECT_THAT(verdict.wrong, IsEmpty());
}

TEST(NodeBallotTest, AWrongFirstAnswerTaintsTheStep) {
  NodeBallot ballot(Kind::kSpeculation, 1);
  ballot.Cast("fast", 0, 6, false);
  EXPECT_FALSE(ballot.Cast("slow", 0, 7, false).tainted) << "who is wrong is not known yet";
  EXPECT_TRUE(ballot.NeedsOpinion());
  const NodeBallot::Verdict verdict = ballot.Cast("third", 0, 7, false);
  EXPECT_TRUE(verdict.tainted);
  EXPECT_FALSE(verdict.add);
  EXPECT_THAT(verdict.wrong, ElementsAre("fast"));
}

TEST(NodeBallotTest, AWrongSecondAnswerDoesNot) {
  NodeBallot ballot(Kind::kSpeculation, 1);
  ballot.Cast("fast", 0, 7, false);
  ballot.Cast("slow", 0, 6, false);
  const NodeBallot::Verdict verdict = ballot.Cast("third", 0, 7, false);
  EXPECT_FALSE(verdict.tainted);
  EXPECT_THAT(verdict.wrong, ElementsAre("slow"));
  EXPECT_FALSE(ballot.NeedsOpinion());
}

TEST(NodeBallotTest, WhatCountedUnseenIsNotCompared) {
  NodeBallot ballot(Kind::kSpeculation, 2);
  ballot.CloseUnseen(0);
  EXPECT_FALSE(ballot.Cast("fast", 0, 6, false).add);
  EXPECT_FALSE(ballot.Cast("slow", 0, 7, false).add);
  EXPECT_FALSE(ballot.NeedsOpinion());
}

TEST(NodeBallotTest, ADisputeGoesOnAsAnAudit) {
  NodeBallot ballot(Kind::kSpeculation, 1);
  ballot.Cast("fast", 0, 6, false);
  ballot.Cast("slow", 0, 7, false);
  NodeBallot again = ballot.AsAudit();
  EXPECT_EQ(again.times_asked("fast"), 0);
  const NodeBallot::Verdict verdict = again.Cast("third", 0, 7, false);
  EXPECT_TRUE(verdict.add);
  EXPECT_FALSE(verdict.tainted);
  EXPECT_THAT(verdict.wrong, ElementsAre("fast"));
}

TEST(NodeBallotTest, TheNextWorkerOfANameIsAnotherOne) {
  NodeBallot ballot(Kind::kAudit, 1);
  for (int i = 0; i < 2; ++i) ballot.Ask("a");
  ballot.Cast("a", 0, 6, false);
  ballot.Leave("a");
  EXPECT_EQ(ballot.times_asked("a"), 0);
  ballot.Ask("a");
  EXPECT_THAT(ballot.Cast("a", 0, 7, false).wrong, IsEmpty()) << "it has not contradicted itself";
  const NodeBallot::Verdict verdict = ballot.Cast("b", 0, 7, false);
  EXPECT_TRUE(verdict.add);
  EXPECT_THAT(verdict.wrong, ElementsAre("a (gone, 1)"));
}

TEST(NodeBallotTest, WhatTheGoneHaveSaidStillCounts) {
  NodeBallot ballot(Kind::kAudit, 1);
  ballot.Ask("a");
  ballot.Cast("a", 0, 7, false);
  ballot.Leave("a");
  ballot.Ask("a");
  EXPECT_TRUE(ballot.Cast("a", 0, 7, false).add);
}

TEST(NodeBallotTest, WhoHasSkippedMayBeAskedAgain) {
  NodeBallot ballot(Kind::kAudit, 1);
  ballot.Ask("a");
  ballot.TakeBack("a");
  EXPECT_EQ(ballot.times_asked("a"), 0);
}

}  // namespace
}  // namespace lockstep::server
