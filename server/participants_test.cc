#include "server/participants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace lockstep::server {
namespace {

struct Worker : Participation {
  int nodes = 0;
};

// Keeps what it is sent.
class RecordingLink : public WorkerLink {
 public:
  void Send(const v1::ServerMessage& message) override { sent = message; }
  void Send(const v1::ServerMessage& message, const Tensor&) override { sent = message; }
  void Close(const absl::Status&) override {}

  v1::ServerMessage sent;
};

class ParticipantsTest : public ::testing::Test {
 protected:
  ParticipantsTest() {
    v1::DataSummary& data = *spec_.mutable_data_summary();
    data.set_training_examples(50);
    data.set_validation_examples(9);
    spec_.set_batch_size(10);
    spec_.set_epochs(1);
    spec_.set_shards(2);
    plan_ = JobPlan::For(spec_);
    for (const char* name : {"b", "a", "c"}) {
      participants_.Join(name, std::make_shared<RecordingLink>(),
                         PrepareJobMessage("j", spec_, 64));
    }
  }

  absl::Status BecomeReady(const std::string& name, uint64_t training_examples = 50) {
    v1::JobReady message;
    message.set_training_examples(training_examples);
    message.set_validation_examples(9);
    return participants_.BecomeReady(name, plan_, message);
  }

  v1::JobSpec spec_;
  JobPlan plan_;
  Participants<Worker> participants_;
};

TEST_F(ParticipantsTest, WhoJoinsIsAskedToPrepareTheJob) {
  const auto link = std::make_shared<RecordingLink>();
  participants_.Join("d", link, PrepareJobMessage("job-7", spec_, 64));
  EXPECT_EQ(link->sent.prepare_job().job_id(), "job-7");
  EXPECT_EQ(link->sent.prepare_job().spec().batch_size(), 10);
  EXPECT_GT(link->sent.prepare_job().chunk_elements(), 0);
  EXPECT_EQ(participants_.at("d").link, link);
}

TEST_F(ParticipantsTest, OnlyWhoIsReadyStaysAndIsTrustedMayWork) {
  EXPECT_THAT(participants_.Ready(), testing::IsEmpty());
  for (const char* name : {"c", "a", "b"}) ASSERT_TRUE(BecomeReady(name).ok());
  EXPECT_THAT(participants_.Ready(), testing::ElementsAre("a", "b", "c"));
  EXPECT_EQ(participants_.CountReady(), 3u);
  participants_.Find("b")->leaving = true;
  EXPECT_THAT(participants_.Ready(), testing::ElementsAre("a", "c"));
  participants_.Find("a")->quarantined = true;
  EXPECT_THAT(participants_.Ready(), testing::ElementsAre("c"));
  EXPECT_EQ(participants_.CountReady(), 1u);
  participants_.Erase("c");
  EXPECT_THAT(participants_.Ready(), testing::IsEmpty());
  EXPECT_EQ(participants_.Find("c"), nullptr);
}

TEST_F(ParticipantsTest, OtherDataIsRefusedWithBothCounts) {
  const absl::Status status = BecomeReady("a", 49);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(),
            "job_ready: got 49 training and 9 validation examples, want 50 and 9");
  EXPECT_FALSE(participants_.at("a").ready);
}

TEST_F(ParticipantsTest, PeopleSeeWhoPreparesWhoIsQuarantinedAndWhoCannotTakePart) {
  ASSERT_TRUE(BecomeReady("a").ok());
  ASSERT_TRUE(BecomeReady("b").ok());
  participants_.at("b").quarantined = true;
  participants_.NoteRefusal("d", "no such file");
  const WaitingForWorkers waiting = participants_.Describe();
  EXPECT_EQ(waiting.ready, 1u);
  EXPECT_EQ(waiting.preparing, 1u);
  EXPECT_THAT(waiting.quarantined, testing::ElementsAre("b"));
  EXPECT_THAT(waiting.refusals, testing::ElementsAre(testing::Pair("d", "no such file")));
}

TEST_F(ParticipantsTest, ARefusalIsForgottenWithItsWorkerOrWhenItIsReadyAfterAll) {
  participants_.NoteRefusal("a", "no such file");
  participants_.NoteRefusal("d", "no such file");
  EXPECT_FALSE(BecomeReady("a", 49).ok());
  EXPECT_EQ(participants_.Describe().refusals.size(), 2u);
  ASSERT_TRUE(BecomeReady("a").ok());
  participants_.ForgetRefusal("d");
  EXPECT_THAT(participants_.Describe().refusals, testing::IsEmpty());
}

}  // namespace
}  // namespace lockstep::server
