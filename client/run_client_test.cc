#include "client/run_client.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "client/exit_code.h"
#include "client/testing/fake_job_service.h"

namespace lockstep::client {
namespace {

class RunClientTest : public testing::Test {
 protected:
  RunClientTest() : server_(&service_) {
    std::string folder = testing::TempDir() + "/client-XXXXXX";
    folder_ = mkdtemp(folder.data());
    environment_.out = &out_;
    environment_.err = &err_;
    environment_.default_server = server_.address();
    environment_.load_job_file = [this](const std::string&) { return job_file_; };
    environment_.hash_model = [](const std::string& path) -> absl::StatusOr<std::string> {
      std::ifstream file(path, std::ios::binary);
      if (!file) return absl::NotFoundError(path + ": no such file");
      return "sha256 of " + std::string(std::istreambuf_iterator<char>(file), {});
    };
    job_file_.spec.set_name("digits");
  }

  int Run(const std::vector<std::string>& arguments) {
    out_.str("");
    err_.str("");
    return RunClient(arguments, environment_);
  }

  v1::Job PutJob(v1::JobState state, const std::string& model_sha256 = "") {
    v1::Job job;
    job.set_job_id("job-1");
    job.set_state(state);
    job.set_model_sha256(model_sha256);
    job.set_checkpoint_step(7);
    service_.PutJob(job);
    return job;
  }

  bool OutHas(const std::string& text) { return out_.str().find(text) != std::string::npos; }
  bool ErrHas(const std::string& text) { return err_.str().find(text) != std::string::npos; }
  template <typename Message>
  Message FromJson(const std::string& json) {
    Message message;
    const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
    EXPECT_TRUE(status.ok()) << status.ToString() << " in " << json;
    return message;
  }
  bool OneErrorLine() {
    const std::string text = err_.str();
    return text.rfind("lockstep: ", 0) == 0 && text.find('\n') == text.size() - 1;
  }

  std::string folder_;
  FakeJobService service_;
  FakeServer server_;
  std::ostringstream out_, err_;
  LoadedJobFile job_file_;
  Environment environment_;
};

TEST_F(RunClientTest, ShowsHelp) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"help"}, {"--help"}, {"-h"}}) {
    EXPECT_EQ(Run(arguments), kExitOk);
    EXPECT_TRUE(OutHas("Exit codes:"));
    EXPECT_TRUE(OutHas("  submit JOB.yaml"));
  }
  EXPECT_EQ(Run({"help", "train"}), kExitOk);
  EXPECT_TRUE(OutHas("--state-dir DIR")) << out_.str();
  EXPECT_EQ(Run({"train", "--help"}), kExitOk);
  EXPECT_TRUE(OutHas("--state-dir DIR"));
}

TEST_F(RunClientTest, RefusesWrongArgumentsInOneLine) {
  const std::vector<std::vector<std::string>> wrong = {{"submt"},
                                                       {"help", "nothing-like-it"},
                                                       {""},
                                                       {"--server", "x", "list"},
                                                       {"status"},
                                                       {"status", "a", "b"},
                                                       {"list", "--format", "xml"},
                                                       {"list", "--what"},
                                                       {"list", "--server", "no-port"},
                                                       {"pull", "job-1"},
                                                       {"train", "x", "--workers", "0"},
                                                       {"train", "x", "--threads", "many"},
                                                       {"train", "x", "--resume", "--overwrite"}};
  for (const std::vector<std::string>& arguments : wrong) {
    EXPECT_EQ(Run(arguments), kExitUsage);
    EXPECT_TRUE(OneErrorLine()) << err_.str();
    EXPECT_EQ(out_.str(), "");
  }
  Run({"submt"});
  EXPECT_TRUE(ErrHas("did you mean 'submit'?")) << err_.str();
}

TEST_F(RunClientTest, NeedsAServer) {
  environment_.default_server = "";
  for (const char* command : {"list", "workers"}) {
    EXPECT_EQ(Run({command}), kExitUsage);
    EXPECT_TRUE(ErrHas("LOCKSTEP_SERVER"));
  }
  EXPECT_EQ(Run({"list", "--server", server_.address()}), kExitOk);
}

TEST_F(RunClientTest, UnreachableServerIsOneForAllCommands) {
  // Not in the test's own folder, whose path may be too long for a socket's.
  environment_.default_server = "unix:/tmp/lockstep-no-such-folder/nobody";
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"list"},
                                                    {"workers"},
                                                    {"status", "job-1"},
                                                    {"cancel", "job-1"},
                                                    {"resume", "job-1"},
                                                    {"watch", "job-1"},
                                                    {"submit", "job.yaml"},
                                                    {"pull", "job-1", "-o", folder_ + "/model"}}) {
    EXPECT_EQ(Run(arguments), kExitUnreachable) << arguments[0];
    EXPECT_TRUE(OneErrorLine()) << err_.str();
    EXPECT_TRUE(ErrHas("/nobody")) << err_.str();
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(RunClientTest, UnknownJobIsNotFound) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"status", "job-9"},
                                                    {"cancel", "job-9"},
                                                    {"resume", "job-9"},
                                                    {"watch", "job-9"},
                                                    {"pull", "job-9", "-o", folder_ + "/model"}}) {
    EXPECT_EQ(Run(arguments), kExitNotFound) << arguments[0];
    EXPECT_TRUE(ErrHas("no job 'job-9'")) << err_.str();
    EXPECT_TRUE(ErrHas("lockstep list")) << err_.str();
  }
}

TEST_F(RunClientTest, MapsTheServersErrors) {
  PutJob(v1::RUNNING);
  service_.FailCalls({grpc::INTERNAL, "the database broke"});
  EXPECT_EQ(Run({"status", "job-1"}), kExitFailed);
  EXPECT_TRUE(ErrHas("lockstep: the database broke\n"));
  service_.FailCalls({grpc::INVALID_ARGUMENT, "model: got 0 layers"});
  EXPECT_EQ(Run({"submit", "job.yaml"}), kExitUsage);
  service_.FailCalls({grpc::RESOURCE_EXHAUSTED, "disk full"});
  EXPECT_EQ(Run({"submit", "job.yaml"}), kExitFailed);
}

TEST_F(RunClientTest, ListsAndShowsJobs) {
  PutJob(v1::QUEUED);
  EXPECT_EQ(Run({"list"}), kExitOk);
  EXPECT_TRUE(OutHas("job-1"));
  EXPECT_EQ(Run({"list", "--format", "json"}), kExitOk);
  EXPECT_EQ(FromJson<v1::ListJobsResponse>(out_.str()).jobs_size(), 1);
  EXPECT_EQ(Run({"status", "job-1"}), kExitOk);
  EXPECT_TRUE(OutHas("queued"));
  EXPECT_TRUE(OutHas("lockstep-worker --server " + server_.address()));
  EXPECT_EQ(Run({"status", "job-1", "--format", "json"}), kExitOk);
  EXPECT_EQ(FromJson<v1::Job>(out_.str()).state(), v1::QUEUED);
}

TEST_F(RunClientTest, ListsWorkers) {
  v1::Worker worker;
  worker.set_name("worker-7");
  service_.AddWorker(worker);
  EXPECT_EQ(Run({"workers"}), kExitOk);
  EXPECT_TRUE(OutHas("worker-7"));
  EXPECT_EQ(Run({"workers", "--format", "json"}), kExitOk);
  EXPECT_EQ(FromJson<v1::ListWorkersResponse>(out_.str()).workers(0).name(), "worker-7");
}

TEST_F(RunClientTest, ReleasesAQuarantinedWorker) {
  v1::Worker worker;
  worker.set_name("worker-7");
  worker.set_host("cellar");
  worker.set_pid(1);
  worker.set_quarantine("job-1: wrong sum of shard 3 in step 5");
  service_.AddWorker(worker);
  EXPECT_EQ(Run({"workers", "release", "worker-7"}), kExitOk) << err_.str();
  EXPECT_EQ(out_.str(),
            "worker-7 (cellar, process 1) is trusted again when it comes back; was in quarantine: "
            "job-1: wrong sum of shard 3 in step 5\n");
  EXPECT_EQ(Run({"workers", "release", "worker-7", "--server", server_.address()}), kExitOk);
  EXPECT_EQ(out_.str(), "worker-7 was not in quarantine\n");
  EXPECT_EQ(Run({"workers", "--format", "json", "release", "worker-7"}), kExitOk);
  EXPECT_TRUE(FromJson<v1::LiftQuarantineResponse>(out_.str()).lifted().empty());
  EXPECT_EQ(Run({"workers", "release", "nobody"}), kExitNotFound);
  EXPECT_TRUE(OneErrorLine()) << err_.str();
  EXPECT_EQ(Run({"workers", "release"}), kExitUsage);
  EXPECT_TRUE(OneErrorLine()) << err_.str();
  EXPECT_EQ(Run({"workers", "release", "--help"}), kExitOk);
  EXPECT_TRUE(OutHas("once its machine is sound")) << out_.str();
}

TEST_F(RunClientTest, SubmitsAJobWithItsFile) {
  const std::string init = folder_ + "/init.safetensors";
  const std::string bytes = std::string(2 << 20, 'a') + "tail";
  std::ofstream(init, std::ios::binary) << bytes;
  job_file_.spec.set_init_from(init);
  EXPECT_EQ(Run({"submit", "job.yaml"}), kExitOk) << err_.str();
  EXPECT_TRUE(OutHas("job-1\n"));
  EXPECT_EQ(service_.job("job-1").spec().name(), "digits");
  EXPECT_EQ(service_.init_from_data(), bytes);
  EXPECT_EQ(service_.init_from_pieces(), 3);
  EXPECT_EQ(Run({"submit", "job.yaml", "--format", "json"}), kExitOk);
  EXPECT_EQ(FromJson<v1::Job>(out_.str()).job_id(), "job-2");
}

TEST_F(RunClientTest, InvalidJobFileIsAUsageError) {
  job_file_.problems = {"job.yaml:7:3: epochs: got 0, want >= 1", "job.yaml:9:1: loss: missing"};
  for (const char* command : {"submit", "train"}) {
    EXPECT_EQ(Run({command, "job.yaml"}), kExitUsage);
    EXPECT_EQ(err_.str(),
              "job.yaml:7:3: epochs: got 0, want >= 1\n"
              "job.yaml:9:1: loss: missing\n");
  }
  EXPECT_EQ(service_.job("job-1").job_id(), "");
}

TEST_F(RunClientTest, WatchesToTheEnd) {
  PutJob(v1::SUCCEEDED, "abc");
  EXPECT_EQ(Run({"watch", "job-1"}), kExitOk);
  EXPECT_TRUE(OutHas("job-1 succeeded\nmodel sha256: abc\n")) << out_.str();
  PutJob(v1::FAILED);
  EXPECT_EQ(Run({"watch", "job-1", "--format", "json"}), kExitFailed);
  EXPECT_EQ(FromJson<v1::Job>(out_.str()).state(), v1::FAILED);
}

TEST_F(RunClientTest, SubmitCanWatch) {
  service_.OnChange([&](const v1::Job& job) {
    service_.ChangeJob(job.job_id(), [](v1::Job* changed) { changed->set_state(v1::SUCCEEDED); });
  });
  EXPECT_EQ(Run({"submit", "job.yaml", "--watch"}), kExitOk) << err_.str();
  EXPECT_TRUE(OutHas("job-1 succeeded\n")) << out_.str();
}

TEST_F(RunClientTest, InterruptedWatchLeavesTheJobAlone) {
  PutJob(v1::RUNNING);
  std::thread interrupter([&] {
    while (service_.watch_calls() == 0) std::this_thread::yield();
    kill(getpid(), SIGINT);
  });
  EXPECT_EQ(Run({"watch", "job-1"}), kExitInterrupted);
  interrupter.join();
  EXPECT_TRUE(ErrHas("job-1 goes on")) << err_.str();
  EXPECT_EQ(service_.job("job-1").state(), v1::RUNNING);
}

TEST_F(RunClientTest, CancelsAndResumes) {
  PutJob(v1::RUNNING);
  EXPECT_EQ(Run({"cancel", "job-1"}), kExitOk);
  EXPECT_TRUE(OutHas("job-1 cancelled at step 0/0\nto go on: lockstep resume job-1\n"));
  EXPECT_EQ(Run({"resume", "job-1", "--format", "json"}), kExitOk);
  EXPECT_EQ(FromJson<v1::Job>(out_.str()).state(), v1::QUEUED);
  PutJob(v1::SUCCEEDED);
  EXPECT_EQ(Run({"cancel", "job-1"}), kExitNotNow);
  EXPECT_EQ(Run({"resume", "job-1"}), kExitNotNow);
  EXPECT_TRUE(OneErrorLine());
}

TEST_F(RunClientTest, PullsTheModelAndChecksIt) {
  const std::string path = folder_ + "/model.safetensors";
  PutJob(v1::SUCCEEDED, "sha256 of the bytes");
  service_.SetModel("the bytes");
  EXPECT_EQ(Run({"pull", "job-1", "-o", path}), kExitOk) << err_.str();
  EXPECT_TRUE(OutHas("model: " + path + "\nmodel step: 7\nmodel sha256: sha256 of the bytes\n"));
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--format", "json"}), kExitOk);
  EXPECT_EQ(FromJson<google::protobuf::Struct>(out_.str()).fields().at("file").string_value(),
            path);
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "the bytes");
}

TEST_F(RunClientTest, KeepsTheOldFileWhenThePulledModelIsWrong) {
  const std::string path = folder_ + "/model.safetensors";
  std::ofstream(path) << "old";
  PutJob(v1::SUCCEEDED, "sha256 of other bytes");
  EXPECT_EQ(Run({"pull", "job-1", "-o", path}), kExitDamaged);
  EXPECT_TRUE(OneErrorLine()) << err_.str();
  EXPECT_EQ(environment_.hash_model(path).value(), "sha256 of old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

// Steps 7 (the best), 9 and 12, with models and receipts to them.
v1::ListCheckpointsResponse ThreeCheckpoints(FakeJobService* service) {
  v1::ListCheckpointsResponse list;
  v1::ListReceiptsResponse receipts;
  for (const uint64_t step : {7, 9, 12}) {
    const std::string bytes = "model " + std::to_string(step);
    service->SetModelOfStep(step, bytes);
    v1::StoredCheckpoint& stored = *list.add_checkpoints();
    stored.set_step(step);
    stored.set_model_sha256("sha256 of " + bytes);
    stored.set_size_bytes(1000);
    v1::Receipt& receipt = *receipts.add_receipts();
    receipt.set_step(step);
    receipt.set_model_sha256(stored.model_sha256());
  }
  list.mutable_checkpoints(0)->set_validation_loss(0.25);
  list.mutable_checkpoints(0)->set_best(true);
  service->SetCheckpoints(list);
  service->SetReceipts(receipts);
  return list;
}

TEST_F(RunClientTest, PullsTheBestCheckpointOrThatOfAStep) {
  const std::string path = folder_ + "/model.safetensors";
  PutJob(v1::RUNNING, "sha256 of model 12");
  ThreeCheckpoints(&service_);
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--step", "9"}), kExitOk) << err_.str();
  EXPECT_TRUE(OutHas("model step: 9\nmodel sha256: sha256 of model 9\n")) << out_.str();
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--best"}), kExitOk) << err_.str();
  EXPECT_TRUE(OutHas("model step: 7\nmodel sha256: sha256 of model 7\n")) << out_.str();
  EXPECT_EQ(err_.str(), "");
  service_.ChangeJob("job-1", [](v1::Job* job) {
    v1::EpochMetrics& epoch = *job->mutable_progress()->add_epochs();
    epoch.set_step(5);
    epoch.set_validation_loss(0.125);
  });
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--best"}), kExitOk) << err_.str();
  EXPECT_TRUE(ErrHas("note: the lowest validation loss was that of step 5, 0.1250")) << err_.str();
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--best", "--step", "9"}), kExitUsage);
}

TEST_F(RunClientTest, PullOfAStepIsCheckedAndNamesWhatThereIs) {
  const std::string path = folder_ + "/model.safetensors";
  PutJob(v1::RUNNING, "sha256 of model 12");
  v1::ListCheckpointsResponse list = ThreeCheckpoints(&service_);
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--step", "8"}), kExitNotNow);
  EXPECT_TRUE(ErrHas("no checkpoint of step 8, there are those of 7, 9, 12")) << err_.str();
  service_.SetModelOfStep(9, "something else");
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--step", "9"}), kExitDamaged);
  EXPECT_TRUE(ErrHas("want sha256 of model 9")) << err_.str();
  // The server sends what its row says, but the receipt says another thing.
  list.mutable_checkpoints(1)->set_model_sha256("sha256 of something else");
  list.mutable_checkpoints(0)->set_best(false);
  service_.SetCheckpoints(list);
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--step", "9"}), kExitDamaged);
  EXPECT_TRUE(ErrHas("want its receipt's, sha256 of model 9")) << err_.str();
  EXPECT_EQ(Run({"pull", "job-1", "-o", path, "--best"}), kExitNotNow);
  EXPECT_TRUE(ErrHas("no checkpoint with a validation loss, there are")) << err_.str();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(RunClientTest, ListsCheckpoints) {
  EXPECT_EQ(Run({"checkpoints", "job-1"}), kExitNotFound);
  PutJob(v1::RUNNING, "x");
  EXPECT_EQ(Run({"checkpoints", "job-1"}), kExitOk);
  EXPECT_EQ(out_.str(), "no checkpoints yet\n");
  ThreeCheckpoints(&service_);
  EXPECT_EQ(Run({"checkpoints", "job-1"}), kExitOk);
  EXPECT_TRUE(OutHas("7      -      0.2500     -              best   1000")) << out_.str();
  EXPECT_EQ(Run({"checkpoints", "job-1", "--format", "json"}), kExitOk);
  EXPECT_EQ(FromJson<v1::ListCheckpointsResponse>(out_.str()).checkpoints_size(), 3);
}

TEST_F(RunClientTest, PullNamesWhyNot) {
  PutJob(v1::QUEUED);
  EXPECT_EQ(Run({"pull", "job-1", "-o", folder_ + "/model"}), kExitNotNow);
  PutJob(v1::SUCCEEDED, "x");
  EXPECT_EQ(Run({"pull", "job-1", "-o", folder_ + "/no/model"}), kExitNotFound);
  EXPECT_EQ(Run({"pull", "job-1", "-o", folder_}), kExitUsage);
  EXPECT_EQ(Run({"pull", "job-1", "-o", "/dev/full"}), kExitUsage);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(RunClientTest, HashesAFile) {
  std::ofstream(folder_ + "/m") << "x";
  EXPECT_EQ(Run({"hash", folder_ + "/m"}), kExitOk);
  EXPECT_EQ(out_.str(), "sha256 of x  " + folder_ + "/m\n");
  EXPECT_EQ(Run({"hash", folder_ + "/m", "--format", "json"}), kExitOk);
  FromJson<google::protobuf::Struct>(out_.str());
  EXPECT_EQ(Run({"hash", folder_ + "/none"}), kExitNotFound);
}

TEST_F(RunClientTest, ShowsItsVersion) {
  EXPECT_EQ(Run({"version"}), kExitOk);
  EXPECT_TRUE(OutHas("lockstep "));
  EXPECT_EQ(Run({"--version"}), kExitOk);
  EXPECT_EQ(Run({"version", "--format", "json"}), kExitOk);
  FromJson<google::protobuf::Struct>(out_.str());
}

TEST_F(RunClientTest, ReportsOutputThatCannotBeWritten) {
  std::ofstream full("/dev/full");
  environment_.out = &full;
  EXPECT_EQ(Run({"version"}), kExitFailed);
  EXPECT_TRUE(ErrHas("standard output")) << err_.str();
}

}  // namespace
}  // namespace lockstep::client
