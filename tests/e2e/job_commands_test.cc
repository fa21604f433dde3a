// What a user at a shell does with a cluster, command by command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/data/testing/test_files.h"
#include "tests/testing/cluster.h"
#include "tests/testing/job_file_writer.h"
#include "tests/testing/json.h"
#include "tests/testing/run_lockstep.h"
#include "tests/testing/wait.h"

namespace lockstep::tests {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class JobCommandsTest : public ::testing::Test {
 protected:
  std::string Write(const DigitsJob& job) { return WriteDigitsJob(cluster_.folder(), job); }

  Cluster cluster_;
};

TEST_F(JobCommandsTest, JobWithoutWorkersWaitsAndSaysHowToStartOne) {
  const CommandResult submit = cluster_.Lockstep({"submit", Write(ShortJob())});
  EXPECT_EQ(submit.exit_code, 0) << submit;
  EXPECT_EQ(submit.out, "job-1\n") << "alone, for JOB=$(lockstep submit ...)";
  const CommandResult status = cluster_.Lockstep({"status", "job-1"});
  EXPECT_EQ(status.exit_code, 0) << status;
  EXPECT_THAT(status.out,
              AllOf(ContainsRegex("state: +queued"), HasSubstr("waiting for workers"),
                    HasSubstr(absl::StrCat("lockstep-worker --server ", cluster_.address()))));
  EXPECT_EQ(cluster_.Status("job-1").state(), v1::QUEUED);
  // What it says is true.
  cluster_.StartWorker("first");
  cluster_.WaitForState("job-1", v1::SUCCEEDED);
}

TEST_F(JobCommandsTest, StatusOfARunningJobShowsAllOfIt) {
  cluster_.StartWorker("first");
  cluster_.StartWorker("second");
  cluster_.WaitForWorkers(2);
  const std::string id = cluster_.Submit(Write(EndlessJob()));
  const v1::Job job = cluster_.WaitFor(id, "two working workers", [](const v1::Job& now) {
    return now.progress().epochs_size() > 1 && now.workers_size() == 2 &&
           now.progress().examples_per_second() > 0 && now.progress().has_eta_seconds();
  });
  EXPECT_EQ(job.job_id(), id);
  EXPECT_EQ(job.spec().name(), "endless");
  EXPECT_EQ(job.state(), v1::RUNNING);
  EXPECT_TRUE(job.has_submitted_at() && job.has_started_at());
  const v1::Progress& progress = job.progress();
  EXPECT_EQ(progress.total_epochs(), 1000000u);
  EXPECT_EQ(progress.total_steps(), 23000000u);
  EXPECT_EQ(progress.training_examples(), 1438u);
  EXPECT_EQ(progress.validation_examples(), 359u);
  EXPECT_EQ(progress.epoch(), progress.step() / 23);
  EXPECT_GT(progress.training_loss(), 0);
  EXPECT_GT(progress.validation_loss(), 0);
  EXPECT_GT(progress.validation_accuracy(), 0.1);
  EXPECT_GT(progress.eta_seconds(), 0);
  EXPECT_EQ(progress.epochs(0).epoch(), 1u);
  EXPECT_EQ(progress.epochs(0).step(), 23u);
  // All eight shards are somebody's.
  EXPECT_EQ(job.workers(0).end_shard() - job.workers(0).first_shard(), 4u);
  EXPECT_EQ(job.workers(1).end_shard() - job.workers(1).first_shard(), 4u);

  const CommandResult text = cluster_.Lockstep({"status", id});
  EXPECT_EQ(text.exit_code, 0) << text;
  for (const char* row :
       {"job: +job-1", "name: +endless", "state: +running", "step: +[0-9]+/23000000",
        "epoch: +[0-9]+/1000000", "training loss: +[0-9]", "validation loss: +[0-9]",
        "validation accuracy: +[0-9]", "examples/s: +[0-9]", "time to go: +[0-9]",
        "workers: +(first|second) .shards [04]-[37]", "submitted: +20"}) {
    EXPECT_THAT(text.out, ContainsRegex(row)) << text;
  }
}

TEST_F(JobCommandsTest, ListAndWorkersShowTables) {
  EXPECT_EQ(cluster_.Lockstep({"list"}).out, "no jobs\n");
  EXPECT_EQ(cluster_.Lockstep({"workers"}).out, "no workers\n");
  cluster_.StartWorker("first", {"--threads", "2"});
  cluster_.WaitForWorkers(1);
  const v1::Worker worker = cluster_.Workers().workers(0);
  EXPECT_EQ(worker.name(), "first");
  EXPECT_EQ(worker.threads(), 2u);
  EXPECT_EQ(worker.pid(), static_cast<uint32_t>(cluster_.worker("first").pid()));
  EXPECT_THAT(worker.instruction_set(), Not(IsEmpty()));
  EXPECT_THAT(worker.host(), Not(IsEmpty()));

  cluster_.Submit(Write(ShortJob()));
  cluster_.WaitForState(cluster_.Submit(Write(ShortJob())), v1::SUCCEEDED);
  const CommandResult list = cluster_.Lockstep({"list"});
  EXPECT_THAT(list.out, ContainsRegex("job-2 +short +succeeded +69/69 +3/3(.|\n)*job-1")) << list;
  v1::ListJobsResponse jobs;
  ParseJson(cluster_.Lockstep({"list", "--format", "json"}).out, &jobs);
  ASSERT_THAT(jobs.jobs(), SizeIs(2));
  EXPECT_EQ(jobs.jobs(0).job_id(), "job-2") << "newest first";
  EXPECT_EQ(jobs.jobs(0).model_sha256(), jobs.jobs(1).model_sha256());
  EXPECT_THAT(cluster_.Lockstep({"workers"}).out, ContainsRegex("first .* 2 "));
}

TEST_F(JobCommandsTest, SubmitWithWatchFollowsToTheEnd) {
  cluster_.StartWorker("first");
  const CommandResult watched = cluster_.Lockstep({"submit", Write(ShortJob()), "--watch"});
  EXPECT_EQ(watched.exit_code, 0) << watched;
  EXPECT_THAT(watched.out, AllOf(StartsWith("job-1\n"), HasSubstr("epoch 1/3"),
                                 HasSubstr("epoch 3/3"), HasSubstr("job-1 succeeded")));
  EXPECT_EQ(LineAfter("model sha256: ", watched.out), cluster_.Status("job-1").model_sha256());
  // One that has ended shows its end.
  const CommandResult again = cluster_.Lockstep({"watch", "job-1"});
  EXPECT_EQ(again.exit_code, 0) << again;
  EXPECT_THAT(again.out, HasSubstr("job-1 succeeded"));
  const CommandResult json = cluster_.Lockstep({"watch", "job-1", "--format", "json"});
  ASSERT_THAT(ParseJsonLines(json.out), SizeIs(1)) << json;
}

TEST_F(JobCommandsTest, AnyCheckpointThatIsThereCanBePulled) {
  cluster_.StartWorker("first");
  DigitsJob job = ShortJob();
  job.more = "checkpoint: {keep: 3, keep_best: true}\n";
  const std::string id = cluster_.Submit(Write(job));
  const v1::Job done = cluster_.WaitForState(id, v1::SUCCEEDED);
  v1::ListCheckpointsResponse list;
  ParseJson(cluster_.Lockstep({"checkpoints", id, "--format", "json"}).out, &list);
  ASSERT_GE(list.checkpoints_size(), 1);
  EXPECT_EQ(list.checkpoints().rbegin()->model_sha256(), done.model_sha256());
  const std::string file = cluster_.folder().PathOf("model.safetensors");
  std::string best;
  for (const v1::StoredCheckpoint& stored : list.checkpoints()) {
    const CommandResult pull =
        cluster_.Lockstep({"pull", id, "-o", file, "--step", std::to_string(stored.step())});
    EXPECT_EQ(LineAfter("model sha256: ", pull.out), stored.model_sha256()) << pull;
    EXPECT_THAT(cluster_.Lockstep({"hash", file}).out, HasSubstr(stored.model_sha256()));
    EXPECT_TRUE(stored.has_validation_loss()) << "an epoch ends there";
    if (stored.best()) best = stored.model_sha256();
  }
  const CommandResult pull = cluster_.Lockstep({"pull", id, "-o", file, "--best"});
  EXPECT_EQ(LineAfter("model sha256: ", pull.out), best) << pull;
  const CommandResult none = cluster_.Lockstep({"pull", id, "-o", file, "--step", "1"});
  EXPECT_EQ(none.exit_code, 5) << none;
  EXPECT_THAT(none.err, HasSubstr("no checkpoint of step 1, there are those of ")) << none;
}

TEST_F(JobCommandsTest, PulledModelHasTheHashOfStatus) {
  cluster_.StartWorker("first");
  const std::string id = cluster_.Submit(Write(ShortJob()));
  const v1::Job job = cluster_.WaitForState(id, v1::SUCCEEDED);
  EXPECT_THAT(job.model_sha256(), SizeIs(64));
  EXPECT_EQ(job.checkpoint_step(), job.progress().total_steps());
  const std::string file = cluster_.folder().PathOf("model.safetensors");
  const CommandResult pull = cluster_.Lockstep({"pull", id, "-o", file});
  EXPECT_EQ(pull.exit_code, 0) << pull;
  EXPECT_EQ(LineAfter("model sha256: ", pull.out), job.model_sha256());
  const CommandResult hash = cluster_.Lockstep({"hash", file});
  EXPECT_EQ(hash.exit_code, 0) << hash;
  EXPECT_THAT(hash.out, HasSubstr(job.model_sha256()));
  // The same as `lockstep train` gives for that file.
  EXPECT_EQ(TrainedHash(cluster_.folder(), Write(ShortJob()), "train", {}), job.model_sha256());
}

TEST_F(JobCommandsTest, CancelKeepsTheModelAndResumeGoesOn) {
  cluster_.StartWorker("first");
  const std::string id = cluster_.Submit(Write(EndlessJob()));
  cluster_.WaitForStep(id, 0);
  const CommandResult cancel = cluster_.Lockstep({"cancel", id});
  EXPECT_EQ(cancel.exit_code, 0) << cancel;
  EXPECT_THAT(cancel.out, AllOf(StartsWith("job-1 cancelled at step "),
                                HasSubstr("to go on: lockstep resume job-1\n")));
  const v1::Job cancelled = cluster_.Status(id);
  EXPECT_EQ(cancelled.state(), v1::CANCELLED);
  EXPECT_THAT(cancelled.state_reason(), HasSubstr("cancel"));
  EXPECT_EQ(cluster_.Lockstep({"cancel", id}).exit_code, 0) << "cancelling again changes nothing";
  EXPECT_EQ(cluster_.Lockstep({"watch", id}).exit_code, 1) << "it did not succeed";
  EXPECT_EQ(cluster_.Lockstep({"pull", id, "-o", "cancelled.safetensors"}).exit_code, 0);

  const CommandResult resume = cluster_.Lockstep({"resume", id});
  EXPECT_EQ(resume.exit_code, 0) << resume;
  cluster_.WaitForStep(id, cancelled.progress().step());
}

TEST_F(JobCommandsTest, BadJobFileStartsNothing) {
  DigitsJob job = ShortJob();
  job.batch_size = 0;
  job.more = "epohcs: 3\n";
  const CommandResult submit = cluster_.Lockstep({"submit", Write(job)});
  EXPECT_EQ(submit.exit_code, 2) << submit;
  EXPECT_THAT(submit.out, IsEmpty());
  EXPECT_THAT(submit.err, AllOf(ContainsRegex("short.yaml:20:[0-9]+: batch_size: got 0"),
                                ContainsRegex("short.yaml:22:1: epohcs: unknown field"),
                                HasSubstr("did you mean 'epochs'")))
      << submit;
  EXPECT_EQ(cluster_.Lockstep({"list"}).out, "no jobs\n");
}

TEST_F(JobCommandsTest, ExitCodesTellWhatIsWrong) {
  for (const char* command : {"status", "watch", "cancel", "resume"}) {
    const CommandResult unknown = cluster_.Lockstep({command, "job-7"});
    EXPECT_EQ(unknown.exit_code, 4) << unknown;
    EXPECT_THAT(unknown.err, HasSubstr("job-7")) << unknown;
  }
  const CommandResult pull = cluster_.Lockstep({"pull", "job-7", "-o", "model.safetensors"});
  EXPECT_EQ(pull.exit_code, 4) << pull;
  EXPECT_FALSE(std::filesystem::exists(cluster_.folder().PathOf("model.safetensors")));

  const std::string id = cluster_.Submit(Write(ShortJob()));
  const CommandResult early = cluster_.Lockstep({"pull", id, "-o", "model.safetensors"});
  EXPECT_EQ(early.exit_code, 5) << "there is no checkpoint yet" << early;
  cluster_.StartWorker("first");
  cluster_.WaitForState(id, v1::SUCCEEDED);
  const CommandResult late = cluster_.Lockstep({"cancel", id});
  EXPECT_EQ(late.exit_code, 5) << late;
  EXPECT_EQ(cluster_.Lockstep({"resume", id}).exit_code, 5);
}

TEST_F(JobCommandsTest, UnreachableServer) {
  cluster_.KillServer();
  const std::string job = Write(ShortJob());
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"list"}, {"status", "job-1"}, {"submit", job}}) {
    const CommandResult result = cluster_.Lockstep(command);
    EXPECT_EQ(result.exit_code, 3) << result;
    EXPECT_THAT(result.err, HasSubstr(cluster_.address())) << result;
    EXPECT_THAT(result.out, IsEmpty()) << result;
  }
}

TEST_F(JobCommandsTest, SlowServerIsWaitedFor) {
  cluster_.server().Signal(SIGSTOP);
  const std::unique_ptr<Process> list =
      StartLockstep(cluster_.folder(), "list", {"list", "--server", cluster_.address()});
  EXPECT_FALSE(list->WaitForEnd(absl::Seconds(1))) << list->err();
  cluster_.server().Signal(SIGCONT);
  ASSERT_TRUE(list->WaitForEnd(kPatience));
  EXPECT_EQ(list->exit_code(), 0) << list->err();
  EXPECT_EQ(list->out(), "no jobs\n");
}

TEST_F(JobCommandsTest, ServerMustBeNamed) {
  const CommandResult result = RunLockstep(cluster_.folder(), {"list"});
  EXPECT_EQ(result.exit_code, 2) << result;
  EXPECT_THAT(result.err, HasSubstr("LOCKSTEP_SERVER"));
  const CommandResult flag =
      RunLockstep(cluster_.folder(), {"list", "--server", cluster_.address()});
  EXPECT_EQ(flag.exit_code, 0) << flag;
}

TEST_F(JobCommandsTest, FailedJobSaysWhy) {
  DigitsJob job = ShortJob();
  job.loss = "mse";
  job.outputs = 1;
  job.optimizer = "sgd: {learning_rate: 1e20}";
  cluster_.StartWorker("first");
  const CommandResult watched = cluster_.Lockstep({"submit", Write(job), "--watch"});
  EXPECT_EQ(watched.exit_code, 1) << watched;
  EXPECT_THAT(watched.out + watched.err, HasSubstr("want a finite number")) << watched;
  EXPECT_EQ(cluster_.Status("job-1").state(), v1::FAILED);
}

}  // namespace
}  // namespace lockstep::tests
