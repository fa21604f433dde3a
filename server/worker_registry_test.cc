#include "server/worker_registry.h"

#include <gtest/gtest.h>

namespace lockstep::server {
namespace {

v1::Register Self(const std::string& name) {
  v1::Register self;
  self.set_protocol_version(kProtocolVersion);
  self.set_name(name);
  return self;
}

TEST(WorkerRegistryTest, NamesAreMadeUnique) {
  WorkerRegistry registry;
  EXPECT_EQ(*registry.Add(Self("a"), nullptr, absl::UnixEpoch()), "a");
  EXPECT_EQ(*registry.Add(Self("a"), nullptr, absl::UnixEpoch()), "a-2");
  EXPECT_EQ(*registry.Add(Self("a"), nullptr, absl::UnixEpoch()), "a-3");
  registry.Remove("a-2");
  EXPECT_EQ(*registry.Add(Self("a"), nullptr, absl::UnixEpoch()), "a-2");
}

TEST(WorkerRegistryTest, StrangersAreRefused) {
  WorkerRegistry registry;
  v1::Register self = Self("a");
  self.set_protocol_version(99);
  EXPECT_TRUE(absl::IsFailedPrecondition(registry.Add(self, nullptr, absl::UnixEpoch()).status()));
  for (const std::string& name : {std::string(), std::string(65, 'a'), std::string("a b"),
                                  std::string("\xff\n"), std::string("../x")}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(registry.Add(Self(name), nullptr, absl::UnixEpoch()).status()));
  }
}

TEST(WorkerRegistryTest, KnowsWhoIsIdleAndWhoHasGoneSilent) {
  WorkerRegistry registry;
  const absl::Time start = absl::UnixEpoch();
  (void)registry.Add(Self("a"), nullptr, start);
  (void)registry.Add(Self("b"), nullptr, start);
  registry.Find("b")->job_id = "job-1";
  registry.Find("b")->last_heard = start + absl::Seconds(4);
  EXPECT_EQ(registry.IdleWorkers(), std::vector<std::string>{"a"});
  EXPECT_EQ(registry.WorkersOf("job-1"), std::vector<std::string>{"b"});
  const absl::Time now = start + absl::Seconds(6);
  EXPECT_EQ(registry.Lapsed(now, [](const RegisteredWorker&) { return absl::Seconds(5); }),
            std::vector<std::string>{"a"});
  EXPECT_EQ(registry.Describe(now)[1].last_heard_ms(), 2000);
  EXPECT_EQ(registry.Find("c"), nullptr);
}

TEST(WorkerRegistryTest, ARetiredNameIsTakenUntilItsStreamEnds) {
  WorkerRegistry registry;
  (void)registry.Add(Self("a"), nullptr, absl::UnixEpoch());
  registry.Retire("a");
  EXPECT_EQ(registry.Find("a"), nullptr);
  EXPECT_EQ(*registry.Add(Self("a"), nullptr, absl::UnixEpoch()), "a-2");
  registry.Remove("a");
  EXPECT_EQ(*registry.Add(Self("a"), nullptr, absl::UnixEpoch()), "a");
  registry.Retire("unknown");
  EXPECT_EQ(*registry.Add(Self("unknown"), nullptr, absl::UnixEpoch()), "unknown");
}

TEST(WorkerRegistryTest, WhatIsShownToPeopleIsShortAndPrintable) {
  WorkerRegistry registry;
  v1::Register self = Self("a");
  self.set_host(std::string(256, 'h'));
  EXPECT_TRUE(absl::IsInvalidArgument(registry.Add(self, nullptr, absl::UnixEpoch()).status()));
  self.set_host("two\nlines");
  EXPECT_TRUE(absl::IsInvalidArgument(registry.Add(self, nullptr, absl::UnixEpoch()).status()));
  self.set_host("host.example.org");
  self.set_instruction_set(std::string(65, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(registry.Add(self, nullptr, absl::UnixEpoch()).status()));
  self.set_instruction_set("avx2");
  EXPECT_TRUE(registry.Add(self, nullptr, absl::UnixEpoch()).ok());
}

v1::Register Instance(const std::string& name, char instance) {
  v1::Register self = Self(name);
  self.set_host("here");
  self.set_pid(1);  // as in any container
  self.set_instance(std::string(16, instance));
  return self;
}

TEST(WorkerRegistryTest, QuarantineHoldsForTheInstanceAndNotForHostNumberOrName) {
  WorkerRegistry registry;
  const absl::Time now = absl::UnixEpoch();
  ASSERT_TRUE(registry.Add(Instance("w", 'a'), nullptr, now).ok());
  registry.Quarantine("w", "wrong");
  EXPECT_TRUE(registry.IdleWorkers().empty());
  EXPECT_EQ(registry.Describe(now)[0].quarantine(), "wrong");
  registry.Remove("w");
  ASSERT_TRUE(registry.Add(Instance("w", 'a'), nullptr, now).ok());
  EXPECT_TRUE(registry.IdleWorkers().empty()) << "it has only connected again";
  registry.Remove("w");
  // The server is started again.
  WorkerRegistry next;
  next.RestoreQuarantines(registry.quarantines());
  ASSERT_TRUE(next.Add(Instance("other", 'a'), nullptr, now).ok());
  EXPECT_TRUE(next.IdleWorkers().empty());
  ASSERT_TRUE(next.Add(Instance("w", 'b'), nullptr, now).ok());
  EXPECT_EQ(next.IdleWorkers(), std::vector<std::string>{"w"}) << "a fresh process";
}

TEST(WorkerRegistryTest, WhoTellsNoInstanceIsKnownByHostAndNumber) {
  WorkerRegistry registry;
  v1::Register self = Instance("w", 'a');
  self.clear_instance();
  const absl::Time now = absl::UnixEpoch();
  ASSERT_TRUE(registry.Add(self, nullptr, now).ok());
  registry.Quarantine("w", "wrong");
  registry.Remove("w");
  ASSERT_TRUE(registry.Add(self, nullptr, now).ok());
  EXPECT_TRUE(registry.IdleWorkers().empty());
  registry.Remove("w");
  self.set_pid(8);
  ASSERT_TRUE(registry.Add(self, nullptr, now).ok());
  EXPECT_EQ(registry.IdleWorkers().size(), 1);
  self.set_instance("short");
  EXPECT_TRUE(absl::IsInvalidArgument(registry.Add(self, nullptr, now).status()));
}

TEST(WorkerRegistryTest, AReleasedWorkerIsTrustedNowAndWhenItComesBack) {
  WorkerRegistry registry;
  const absl::Time now = absl::UnixEpoch();
  ASSERT_TRUE(registry.Add(Instance("w", 'a'), nullptr, now).ok());
  EXPECT_TRUE(registry.LiftQuarantine("w", now)->empty()) << "trusted all along";
  registry.Quarantine("w", "wrong");
  const auto lifted = registry.LiftQuarantine("w", now);
  ASSERT_TRUE(lifted.ok()) << lifted.status();
  ASSERT_EQ(lifted->size(), 1);
  EXPECT_EQ(lifted->front().quarantine(), "wrong");
  EXPECT_TRUE(lifted->front().has_connected_at());
  EXPECT_EQ(registry.IdleWorkers(), std::vector<std::string>{"w"});
  EXPECT_TRUE(registry.quarantines().empty());
  registry.Remove("w");
  ASSERT_TRUE(registry.Add(Instance("w", 'a'), nullptr, now).ok());
  EXPECT_EQ(registry.IdleWorkers().size(), 1);
  EXPECT_TRUE(absl::IsNotFound(registry.LiftQuarantine("nobody", now).status()));
}

TEST(WorkerRegistryTest, AReleaseOfOneNameLeavesAnotherProcessOfThatNameInQuarantine) {
  WorkerRegistry registry;
  const absl::Time now = absl::UnixEpoch();
  ASSERT_TRUE(registry.Add(Instance("w", 'a'), nullptr, now).ok());
  registry.Quarantine("w", "wrong");
  registry.Remove("w");
  ASSERT_TRUE(registry.Add(Instance("w", 'b'), nullptr, now).ok());
  EXPECT_TRUE(registry.LiftQuarantine("w", now)->empty()) << "the name is the fresh one's now";
  EXPECT_EQ(*registry.Add(Instance("w", 'a'), nullptr, now), "w-2");
  registry.Remove("w");
  EXPECT_TRUE(absl::IsNotFound(registry.LiftQuarantine("w", now).status())) << "it is w-2 now";
  EXPECT_EQ(registry.LiftQuarantine("w-2", now)->size(), 1);
  // One that is away goes by the name that it had.
  registry.Quarantine("w-2", "wrong again");
  registry.Remove("w-2");
  const auto lifted = registry.LiftQuarantine("w-2", now);
  ASSERT_EQ(lifted->size(), 1);
  EXPECT_FALSE(lifted->front().has_connected_at());
  EXPECT_EQ(lifted->front().pid(), 1);
  EXPECT_EQ(*registry.Add(Instance("w", 'a'), nullptr, now), "w");
  EXPECT_EQ(registry.IdleWorkers().size(), 1);
}

}  // namespace
}  // namespace lockstep::server
