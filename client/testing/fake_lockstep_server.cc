// A program that takes lockstep-server's flags and pretends to train, for the
// tests of `lockstep train`. The job's name tells what happens:
//   "refused"   the server refuses to start (exit code 2)
//   "silent"    it never listens
//   "endless"   the job runs until it is cancelled
//   "fails"     the job fails
//   "crash"     the server dies with the job
//   others      the job takes a few steps and succeeds
// The name of "refused" and "silent" comes as FAKE in the state folder's path,
// since there is no job yet. The job is kept in STATE_DIR/lockstep.db.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "client/testing/fake_job_service.h"

namespace lockstep::client {
namespace {

constexpr int kSteps = 4;

void Save(const std::string& path, const v1::Job& job) {
  std::ofstream(path, std::ios::binary) << job.SerializeAsString();
}

void TakeStep(v1::Job* job, int step) {
  job->set_state(v1::RUNNING);
  job->set_model_sha256("sha256 of model");
  job->set_checkpoint_step(step);
  v1::Progress* progress = job->mutable_progress();
  progress->set_total_steps(kSteps);
  progress->set_total_epochs(kSteps);
  progress->set_step(step);
  progress->set_epoch(step);
  progress->set_training_loss(1.0 / step);
  progress->set_validation_accuracy(0.5);
  v1::EpochMetrics* epoch = progress->add_epochs();
  epoch->set_epoch(step);
  epoch->set_step(step);
  epoch->set_training_loss(1.0 / step);
  epoch->set_validation_accuracy(0.5);
  epoch->set_examples_per_second(100);
}

// Changes the service's job until it ends; `path`: where it is kept.
void Train(FakeJobService* service, const std::string& path, const v1::Job& begun) {
  const std::string name = begun.spec().name();
  const std::string id = begun.job_id();
  const auto change = [&](const std::function<void(v1::Job*)>& how) {
    service->ChangeJob(id, [&](v1::Job* job) {
      if (job->state() != v1::CANCELLED) how(job);
    });
    Save(path, service->job(id));
  };
  const int end = name == "endless" && !begun.progress().step() ? 2 : kSteps;
  for (int step = begun.progress().step() + 1; step <= end; ++step) {
    usleep(20000);
    change([&](v1::Job* job) { TakeStep(job, step); });
  }
  if (name == "crash") raise(SIGKILL);
  if (end < kSteps) return;
  change([&](v1::Job* job) {
    job->set_state(name == "fails" ? v1::FAILED : v1::SUCCEEDED);
    if (name == "fails") job->set_state_reason("the loss is not a number");
  });
}

int Main(const std::string& listen, const std::string& state_dir) {
  if (state_dir.find("refused") != std::string::npos) {
    std::fprintf(stderr, "fake: --instruction-set: got x, want best\n");
    return 2;
  }
  if (state_dir.find("silent") != std::string::npos) pause();
  std::filesystem::create_directories(state_dir);
  const std::string path = state_dir + "/lockstep.db";
  FakeJobService service;
  service.SetModel("model");
  v1::Job kept;
  std::ifstream file(path, std::ios::binary);
  if (file && kept.ParseFromIstream(&file) && !kept.job_id().empty()) service.PutJob(kept);
  if (!file) Save(path, kept);
  service.OnChange([&](const v1::Job& job) {
    Save(path, job);
    if (job.state() == v1::QUEUED) std::thread(Train, &service, path, job).detach();
  });
  FakeServer server(&service, listen);
  std::printf("listening on %s\n", listen.c_str());
  std::fflush(stdout);
  while (true) pause();
}

}  // namespace
}  // namespace lockstep::client

int main(int argc, char** argv) {
  std::string listen, state_dir;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--listen") listen = argv[i + 1];
    if (std::string(argv[i]) == "--state-dir") state_dir = argv[i + 1];
  }
  return lockstep::client::Main(listen, state_dir);
}
