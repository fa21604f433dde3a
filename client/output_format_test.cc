#include "client/output_format.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "client/text_table.h"

namespace lockstep::client {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000000);

v1::Job SomeJob() {
  v1::Job job;
  job.set_job_id("job-3");
  job.mutable_spec()->set_name("digits");
  job.set_state(v1::RUNNING);
  job.mutable_submitted_at()->set_seconds(1000000 - 65);
  v1::Progress* progress = job.mutable_progress();
  progress->set_step(40);
  progress->set_total_steps(100);
  progress->set_epoch(2);
  progress->set_total_epochs(5);
  progress->set_training_loss(0.25);
  progress->set_validation_loss(0.5);
  progress->set_validation_accuracy(0.97123);
  progress->set_examples_per_second(12345.6);
  progress->set_eta_seconds(90);
  v1::JobWorker* worker = job.add_workers();
  worker->set_name("worker-0");
  worker->set_end_shard(4);
  job.add_workers()->set_name("worker-1");
  return job;
}

TEST(TextTableTest, AlignsColumns) {
  EXPECT_EQ(FormatTable({{"A", "LONGER"}, {"wide", ""}, {"x"}}),
            "A      LONGER\n"
            "wide   -\n"
            "x\n");
}

TEST(TextTableTest, DisarmsControlCharacters) {
  EXPECT_EQ(Printable("a\x1b[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(Printable("Gr\xc3\xbc\xc3\x9f"), "Gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(Printable("a\xc2\x9b"), "a??");
}

TEST(TextTableTest, ShortensNumbers) {
  EXPECT_EQ(ShortDuration(absl::Seconds(45)), "45s");
  EXPECT_EQ(ShortDuration(absl::Seconds(200)), "3m20s");
  EXPECT_EQ(ShortDuration(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(ShortDuration(absl::Hours(99)), "4d03h");
  EXPECT_EQ(ShortDuration(-absl::Hours(1)), "0s");
  EXPECT_EQ(ShortDuration(absl::InfiniteDuration()), "long");
  EXPECT_EQ(ShortCount(941), "941");
  EXPECT_EQ(ShortCount(52345), "52.3k");
  EXPECT_EQ(ShortCount(999700), "1.00M");
  EXPECT_EQ(Percent(0.97123), "97.12 %");
  EXPECT_EQ(Loss(0.25), "0.2500");
  EXPECT_EQ(Loss(1.234e-7), "1.234e-07");
}

TEST(OutputFormatTest, ShowsAllOfAJob) {
  EXPECT_EQ(JobDetails(SomeJob(), kNow),
            "job:                   job-3\n"
            "name:                  digits\n"
            "state:                 running\n"
            "reason:                -\n"
            "consistency:           sync\n"
            "step:                  40/100\n"
            "epoch:                 2/5\n"
            "examples:              0 training, 0 validation\n"
            "training loss:         0.2500\n"
            "validation loss:       0.5000\n"
            "validation accuracy:   97.12 %\n"
            "examples/s:            12346\n"
            "time to go:            1m30s\n"
            "training time:         0.0 s\n"
            "workers:               worker-0 (shards 0-3)\n"
            "                       worker-1 (idle)\n"
            "submitted:             1970-01-12 13:45:35 UTC (1m05s ago)\n"
            "model sha256:          -\n");
}

TEST(OutputFormatTest, ShowsTheModeAndHowStaleUpdatesWere) {
  v1::Job job = SomeJob();
  job.mutable_spec()->mutable_consistency()->set_bounded_staleness(2);
  job.mutable_progress()->mutable_staleness()->set_most_updates(9);
  job.mutable_progress()->mutable_staleness()->set_mean_updates(1.25);
  job.mutable_progress()->mutable_staleness()->set_most_steps(2);
  EXPECT_NE(JobDetails(job, kNow).find(
                "consistency:           bounded_staleness 2\n"
                "staleness:             at most 9 updates, in the mean 1.2; at most 2 steps "
                "ahead\n"),
            std::string::npos)
      << JobDetails(job, kNow);
}

TEST(OutputFormatTest, ShowsAnEmptyJob) {
  EXPECT_NE(JobDetails(v1::Job(), kNow).find("state:                 unknown\n"),
            std::string::npos);
}

TEST(OutputFormatTest, ListsJobsAndWorkers) {
  v1::ListJobsResponse jobs;
  EXPECT_EQ(JobTable(jobs, kNow), "no jobs\n");
  *jobs.add_jobs() = SomeJob();
  EXPECT_EQ(JobTable(jobs, kNow),
            "JOB     NAME     STATE     STEP     EPOCH   LOSS     VAL LOSS   VAL ACCURACY   "
            "WORKERS   PRIORITY   AGE\n"
            "job-3   digits   running   40/100   2/5     0.2500   0.5000     97.12 %        "
            "2         0          1m05s\n");
  v1::ListWorkersResponse workers;
  EXPECT_EQ(WorkerTable(workers, kNow), "no workers\n");
  v1::Worker* worker = workers.add_workers();
  worker->set_name("w");
  worker->set_host("evil\x1b[0m");
  EXPECT_NE(WorkerTable(workers, kNow).find("evil?[0m"), std::string::npos);
}

TEST(OutputFormatTest, TellsHowToStartAWorkerOnlyWhereItHelps) {
  v1::Job job;
  job.set_state(v1::QUEUED);
  EXPECT_EQ(WorkerHint(job, "big:1"), "to start a worker: lockstep-worker --server big:1\n");
  job.set_state_reason("start one with: lockstep-worker --server big:1");
  EXPECT_EQ(WorkerHint(job, "big:1"), "");
  EXPECT_EQ(WorkerHint(SomeJob(), "big:1"), "");
}

TEST(OutputFormatTest, JsonReadsBackAndShowsDefaults) {
  const std::string json = ToJson(SomeJob());
  v1::Job read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &read).ok());
  EXPECT_EQ(read.SerializeAsString(), SomeJob().SerializeAsString());
  EXPECT_NE(json.find("\"checkpointStep\": \"0\""), std::string::npos) << json;
  const std::string line = ToJson(SomeJob(), /*one_line=*/true);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace lockstep::client
