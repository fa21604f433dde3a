// A server with some hundred workers at once, each on a connection of its own:
// all get work in every step, and the model is that of one worker. (That many
// real ones would need as many machines; these speak the protocol and compute a
// formula.)
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <memory>
#include <string>

#include "engine/model/job_spec.h"
#include "lockstep/v1/job_service.grpc.pb.h"
#include "server/parameter_server.h"
#include "server/testing/remote_fake_workers.h"

namespace lockstep::server {
namespace {

constexpr int kWorkers = 200;

v1::JobSpec Spec(int least_workers) {
  v1::JobSpec spec;
  spec.set_name("many");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path("/nowhere/examples.csv");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_sha256(std::string(64, 'a'));
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1f);
  spec.set_steps(8);
  spec.set_batch_size(3 * kWorkers);
  spec.set_shards(kWorkers);
  spec.mutable_workers()->set_min(least_workers);
  FillJobDefaults(&spec);
  spec.mutable_data_summary()->set_training_examples(4 * kWorkers);
  spec.mutable_data_summary()->add_example_shape(4);
  spec.mutable_data_summary()->set_classes(3);
  return spec;
}

class ManyWorkersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string state_dir = ::testing::TempDir() + "/many-workers-XXXXXX";
    ASSERT_NE(mkdtemp(&state_dir[0]), nullptr);
    ParameterServer::Options options;
    options.listen = "127.0.0.1:0";
    options.state_dir = state_dir;
    // A machine that others use too must not make it a test of leases.
    options.lease = absl::Minutes(10);
    auto server = ParameterServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    jobs_ = v1::JobService::NewStub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  // Trains with so many workers; returns the ended job.
  v1::Job Train(int workers) {
    v1::Job job;
    {
      grpc::ClientContext context;
      const auto writer = jobs_->SubmitJob(&context, &job);
      v1::SubmitJobRequest request;
      *request.mutable_spec() = Spec(workers);
      writer->Write(request);
      writer->WritesDone();
      const grpc::Status status = writer->Finish();
      EXPECT_TRUE(status.ok()) << status.error_message();
    }
    RemoteFakeWorkers fakes(server_->address(), workers);
    fakes.AwaitWelcome();
    EXPECT_EQ(fakes.connected(), workers) << fakes.trouble();
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job_id(job.job_id());
    const auto reader = jobs_->WatchJob(&context, request);
    while (reader->Read(&job)) {
      // 2 ceil(log2 200) + 2.
      EXPECT_LE(job.progress().most_partial_sums(), 18u);
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(fakes.connected(), workers) << fakes.trouble();
    EXPECT_EQ(fakes.that_worked(), workers);
    return job;
  }

  std::unique_ptr<ParameterServer> server_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
};

TEST_F(ManyWorkersTest, HundredsShareEveryStepAndTheModelIsThatOfOne) {
  const v1::Job one = Train(1);
  ASSERT_EQ(one.state(), v1::SUCCEEDED) << one.state_reason();
  const v1::Job many = Train(kWorkers);
  ASSERT_EQ(many.state(), v1::SUCCEEDED) << many.state_reason();
  EXPECT_EQ(many.model_sha256(), one.model_sha256());
  EXPECT_EQ(many.progress().ledger().lost(), 0u);
  EXPECT_EQ(many.progress().ledger().twice(), 0u);
  EXPECT_EQ(many.progress().ledger().consumed(), many.progress().ledger().total());
}

}  // namespace
}  // namespace lockstep::server
