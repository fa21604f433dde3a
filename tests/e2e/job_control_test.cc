// Several jobs of one cluster under a user's hands: pausing, going on from
// another job, priorities, and what proves how a model came to be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/json.h"
#include "tests/testing/run_lockstep.h"

namespace lockstep::tests {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class JobControlTest : public ::testing::Test {
 protected:
  std::string Write(const DigitsJob& job) { return WriteDigitsJob(cluster_.folder(), job); }
  // What `submit` with these arguments prints: the job's id.
  std::string SubmitWith(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "submit");
    const CommandResult submit = cluster_.Lockstep(arguments);
    EXPECT_EQ(submit.exit_code, 0) << submit;
    return submit.out.substr(0, submit.out.find('\n'));
  }

  Cluster cluster_;
};

TEST_F(JobControlTest, APausedJobGivesItsWorkersAwayAndEndsWithTheSameModel) {
  DigitsJob job = ShortJob();
  job.epochs = 3000;  // longer than it takes to say pause
  const std::string undisturbed = TrainedHash(cluster_.folder(), Write(job), "calm", {});
  cluster_.StartWorker("first");
  const std::string id = cluster_.Submit(Write(job));
  cluster_.WaitForStep(id, 0);
  const CommandResult pause = cluster_.Lockstep({"pause", id});
  EXPECT_EQ(pause.exit_code, 0) << pause;
  EXPECT_THAT(pause.out, AllOf(StartsWith("job-1 paused at step "),
                               HasSubstr("to go on: lockstep resume job-1")));
  EXPECT_THAT(cluster_.Lockstep({"list"}).out, ContainsRegex("job-1 +short +paused"));
  const std::string other = cluster_.Submit(Write(ShortJob()));
  cluster_.WaitForState(other, v1::SUCCEEDED);
  EXPECT_EQ(cluster_.Status(id).state(), v1::PAUSED);
  cluster_.StopServer();
  cluster_.RestartServer();
  cluster_.WaitForWorkers(1);
  EXPECT_EQ(cluster_.Status(id).state(), v1::PAUSED);
  const CommandResult resume = cluster_.Lockstep({"resume", id});
  EXPECT_EQ(resume.exit_code, 0) << resume;
  EXPECT_EQ(cluster_.WaitForState(id, v1::SUCCEEDED).model_sha256(), undisturbed);
  EXPECT_EQ(cluster_.Lockstep({"pause", id}).exit_code, 5);
  EXPECT_EQ(cluster_.Lockstep({"pause", "job-9"}).exit_code, 4);
}

TEST_F(JobControlTest, AForkWithTheSameFieldsEndsWithTheSameModel) {
  cluster_.StartWorker("first");
  DigitsJob job = ShortJob();
  job.epochs = 3000;
  const std::string parent = cluster_.Submit(Write(job));
  cluster_.WaitForStep(parent, 0);
  // In the middle, wherever that is.
  EXPECT_EQ(cluster_.Lockstep({"pause", parent}).exit_code, 0);
  const uint64_t middle = cluster_.Status(parent).checkpoint_step();
  ASSERT_GT(middle, 0u);
  const CommandResult none = cluster_.Lockstep({"submit", "--from", "job-1@68999", Write(job)});
  EXPECT_EQ(none.exit_code, 5) << none;
  EXPECT_THAT(none.err, HasSubstr(absl::StrCat(
                            "job-1: no checkpoint of step 68999, there are those of ", middle)));
  // By the job's own specification.
  const std::string same = SubmitWith({"--from", absl::StrCat("job-1@", middle)});
  const v1::Job forked = cluster_.WaitForState(same, v1::SUCCEEDED);
  EXPECT_EQ(forked.spec().forked_from().step(), middle);
  EXPECT_THAT(cluster_.Lockstep({"status", same}).out,
              ContainsRegex(absl::StrCat("goes on from: +job-1@", middle)));
  EXPECT_EQ(cluster_.Lockstep({"resume", parent}).exit_code, 0);
  const std::string hash = cluster_.WaitForState(parent, v1::SUCCEEDED).model_sha256();
  EXPECT_EQ(forked.model_sha256(), hash);
  // From the end, with other hyperparameters and for longer.
  const std::string longer = SubmitWith({"--from", "job-1", "--set", "epochs=3002", "--set",
                                         "optimizer.adam.learning_rate=0.0005", "--priority", "2"});
  const v1::Job went_on = cluster_.WaitForState(longer, v1::SUCCEEDED);
  EXPECT_EQ(went_on.progress().step(), 3002u * 23);
  EXPECT_EQ(went_on.spec().priority(), 2);
  EXPECT_NE(went_on.model_sha256(), hash);
}

TEST_F(JobControlTest, AForkThatDoesNotFitIsRefusedInOneLine) {
  cluster_.StartWorker("first");
  cluster_.WaitForState(cluster_.Submit(Write(ShortJob())), v1::SUCCEEDED);
  DigitsJob wider = ShortJob();
  wider.name = "wider";
  wider.hidden = 64;
  wider.epochs = 5;
  const CommandResult shape = cluster_.Lockstep({"submit", Write(wider), "--from", "job-1"});
  EXPECT_EQ(shape.exit_code, 2) << shape;
  EXPECT_THAT(shape.err, AllOf(HasSubstr("cannot go on from job-1@69: "),
                               HasSubstr("got shape [128, 64], want [64, 64]")));
  const CommandResult ended = cluster_.Lockstep({"submit", "--from", "job-1"});
  EXPECT_EQ(ended.exit_code, 2) << ended;
  EXPECT_THAT(ended.err, HasSubstr("want more than the 69"));
  const std::vector<std::string> sgd = {"submit",
                                        "--from",
                                        "job-1",
                                        "--set",
                                        "epochs=4",
                                        "--set",
                                        "optimizer={sgd: {learning_rate: 0.1}}"};
  const CommandResult state = cluster_.Lockstep(sgd);
  EXPECT_EQ(state.exit_code, 2) << state;
  EXPECT_THAT(state.err, HasSubstr("--fresh-optimizer"));
  std::vector<std::string> fresh = sgd;
  fresh.push_back("--fresh-optimizer");
  EXPECT_EQ(cluster_.Lockstep(fresh).exit_code, 0);
  EXPECT_EQ(cluster_.Lockstep({"submit", "--from", "job-7", Write(ShortJob())}).exit_code, 4);
  EXPECT_EQ(cluster_.Lockstep({"submit"}).exit_code, 2);
  const CommandResult typo =
      cluster_.Lockstep({"submit", Write(ShortJob()), "--set", "batch_siz=3"});
  EXPECT_EQ(typo.exit_code, 2) << typo;
  EXPECT_THAT(typo.err, HasSubstr("did you mean 'batch_size'?"));
}

TEST_F(JobControlTest, AnUrgentJobTakesWorkersFromARunningOneWithoutKillingIt) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  cluster_.WaitForWorkers(2);
  const std::string patient = cluster_.Submit(Write(EndlessJob()));
  cluster_.WaitFor(patient, "two workers", [](const v1::Job& now) {
    return now.workers_size() == 2 && now.progress().step() > 0;
  });
  DigitsJob urgent = EndlessJob();
  urgent.name = "urgent";
  urgent.more = "priority: 10\n";
  const std::string other = cluster_.Submit(Write(urgent));
  cluster_.WaitFor(other, "a worker", [](const v1::Job& now) {
    return now.workers_size() >= 1 && now.progress().step() > 0;
  });
  const v1::Job sharing = cluster_.Status(patient);
  EXPECT_EQ(sharing.state(), v1::RUNNING);
  EXPECT_EQ(sharing.workers_size(), 1);
  EXPECT_EQ(cluster_.Status(other).workers_size(), 1);
  EXPECT_THAT(cluster_.Lockstep({"list"}).out,
              AllOf(HasSubstr("PRIORITY"), ContainsRegex("job-2 .* 10 ")));
  cluster_.WaitForStep(patient, sharing.progress().step());
  EXPECT_EQ(cluster_.Lockstep({"cancel", other}).exit_code, 0);
  // What was taken comes back, and no bit has changed on the way.
  cluster_.WaitFor(patient, "two workers again",
                   [](const v1::Job& now) { return now.workers_size() == 2; });
  EXPECT_EQ(cluster_.Lockstep({"pause", patient}).exit_code, 0);
  const CommandResult verify = cluster_.Lockstep({"verify", patient});
  EXPECT_EQ(verify.exit_code, 0) << verify;
  EXPECT_THAT(verify.out, HasSubstr("equal: steps 0 to "));
  EXPECT_EQ(cluster_.Lockstep({"cancel", patient}).exit_code, 0);
}

TEST_F(JobControlTest, AJobThatFailsNamesTheOperationAndLeavesOthersAlone) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  cluster_.WaitForWorkers(2);
  const std::string healthy = cluster_.Submit(Write(EndlessJob()));
  DigitsJob job = ShortJob();
  job.loss = "mse";
  job.outputs = 1;
  job.optimizer = "sgd: {learning_rate: 1e20}";
  job.more = "retries: 3\n";
  const std::string sick = cluster_.Submit(Write(job));
  const v1::Job failed = cluster_.WaitForState(sick, v1::FAILED);
  EXPECT_THAT(failed.state_reason(),
              AllOf(HasSubstr("training loss is"), ContainsRegex("at step [0-9]+"),
                    ContainsRegex("worker (first|second): shard [0-9]+: (forward|backward) of")));
  EXPECT_LE(failed.retries_used(), 3u);
  cluster_.WaitForStep(healthy, cluster_.Status(healthy).progress().step());
  EXPECT_EQ(cluster_.Status(healthy).state(), v1::RUNNING);
  EXPECT_EQ(cluster_.Lockstep({"cancel", healthy}).exit_code, 0);
}

TEST_F(JobControlTest, ReceiptsAreAChainAndVerifyComputesAStretchAgain) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  const std::string id = cluster_.Submit(Write(ShortJob()));
  const v1::Job job = cluster_.WaitForState(id, v1::SUCCEEDED);
  const CommandResult receipts = cluster_.Lockstep({"receipts", id});
  EXPECT_EQ(receipts.exit_code, 0) << receipts;
  EXPECT_THAT(receipts.out, AllOf(HasSubstr("chain: whole"), HasSubstr(job.receipt())));
  v1::ListReceiptsResponse list;
  ParseJson(cluster_.Lockstep({"receipts", id, "--format", "json"}).out, &list);
  ASSERT_GE(list.receipts_size(), 1);
  EXPECT_EQ(list.receipts(list.receipts_size() - 1).model_sha256(), job.model_sha256());
  EXPECT_THAT(cluster_.Lockstep({"status", id}).out, HasSubstr(job.receipt()));

  const CommandResult whole = cluster_.Lockstep({"verify", id});
  EXPECT_EQ(whole.exit_code, 0) << whole;
  EXPECT_THAT(whole.out,
              AllOf(HasSubstr("computed again from step 0"), HasSubstr("equal: steps 0 to 69, ")));
  // From the oldest checkpoint that is there, where it is not the last.
  const uint64_t oldest = list.checkpoints(0);
  const uint64_t from = oldest < 69 ? oldest : 0;
  const CommandResult part =
      cluster_.Lockstep({"verify", id, "--steps", absl::StrCat(from, "..69")});
  EXPECT_EQ(part.exit_code, 0) << part;
  EXPECT_THAT(part.out, HasSubstr(absl::StrCat("computed again from step ", from)));
  const CommandResult bad = cluster_.Lockstep({"verify", id, "--steps", "60..70"});
  EXPECT_EQ(bad.exit_code, 2) << bad;
  EXPECT_THAT(bad.err, HasSubstr("want at most 69"));
}

TEST_F(JobControlTest, LocalSgdGivesOneModelOnAnyNumberOfWorkers) {
  DigitsJob job = ShortJob();
  job.epochs = 10;
  job.more = "consistency: {local_sgd: {steps: 5}}\n";
  const std::string file = Write(job);
  const std::string one = TrainedHash(cluster_.folder(), file, "one", {"--workers", "1"});
  EXPECT_EQ(TrainedHash(cluster_.folder(), file, "three", {"--workers", "3", "--threads", "1"}),
            one);
  EXPECT_NE(TrainedHash(cluster_.folder(), Write(ShortJob()), "sync", {}), one);
}

TEST_F(JobControlTest, DiffNamesStepTensorShardAndField) {
  cluster_.StartWorker("first");
  const std::string file = Write(ShortJob());
  const std::string one = cluster_.Submit(file);
  const std::string equal = SubmitWith({file, "--set", "name=equal", "--set", "workers.max=1"});
  const std::string faster = SubmitWith({file, "--set", "optimizer.adam.learning_rate=0.01"});
  const std::string seeded = SubmitWith({file, "--set", "seed=2"});
  for (const std::string& id : {one, equal, faster, seeded}) {
    cluster_.WaitForState(id, v1::SUCCEEDED);
  }
  const CommandResult same = cluster_.Lockstep({"diff", one, equal});
  EXPECT_EQ(same.exit_code, 0) << same;
  EXPECT_THAT(same.out,
              AllOf(HasSubstr("no field that decides the bits differs"), HasSubstr("equal: ")));
  const CommandResult rate = cluster_.Lockstep({"diff", one, faster});
  EXPECT_EQ(rate.exit_code, 7) << rate;
  EXPECT_THAT(rate.out, AllOf(ContainsRegex("optimizer.adam.learning_rate +0.002 +0.01"),
                              ContainsRegex("they part at step: +0\n"), HasSubstr("0.weight"),
                              ContainsRegex("shards: +none: all gradients are equal"),
                              ContainsRegex("explained by: +optimizer.adam.learning_rate\n")))
      << rate;
  const CommandResult seed = cluster_.Lockstep({"diff", one, seeded});
  EXPECT_EQ(seed.exit_code, 7) << seed;
  EXPECT_THAT(seed.out, AllOf(ContainsRegex("shards: +0, 1, 2, 3, 4, 5, 6, 7\n"),
                              ContainsRegex("explained by: +seed\n")))
      << seed;
  const CommandResult json =
      cluster_.Lockstep({"diff", one, seeded, "--recorded", "--format", "json"});
  EXPECT_EQ(json.exit_code, 7) << json;
  EXPECT_THAT(json.out, AllOf(HasSubstr("\"equal\": false"), HasSubstr("\"fields\": [\"seed\"]"),
                              HasSubstr("\"stepIsExact\": false")));
}

}  // namespace
}  // namespace lockstep::tests
