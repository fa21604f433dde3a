// The server's port as any gRPC client sees it: health checking, reflection,
// and peers that speak another language.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "lockstep/v1/job_service.grpc.pb.h"
#include "lockstep/v1/worker_service.grpc.pb.h"
#include "tests/integration/raw_call.h"
#include "tests/testing/cluster.h"

namespace lockstep::tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class GrpcServicesTest : public ::testing::Test {
 protected:
  std::shared_ptr<grpc::Channel> Channel() {
    return grpc::CreateChannel(cluster_.address(), grpc::InsecureChannelCredentials());
  }
  // What a connection that begins with `message` ends with.
  grpc::Status Connect(const v1::WorkerMessage& message) {
    const auto stub = v1::WorkerService::NewStub(Channel());
    grpc::ClientContext context;
    const auto stream = stub->Connect(&context);
    stream->Write(message);
    v1::ServerMessage answer;
    while (stream->Read(&answer)) {
    }
    return stream->Finish();
  }
  void ExpectStillServes() {
    const CommandResult list = cluster_.Lockstep({"list"});
    EXPECT_EQ(list.exit_code, 0) << list;
    EXPECT_FALSE(cluster_.server().HasEnded());
  }

  Cluster cluster_;
};

v1::WorkerMessage ProperRegister() {
  v1::WorkerMessage message;
  message.mutable_register_()->set_protocol_version(4);
  message.mutable_register_()->set_name("tester");
  message.mutable_register_()->set_host("here");
  message.mutable_register_()->set_pid(1);
  message.mutable_register_()->set_threads(1);
  message.mutable_register_()->set_instruction_set("avx2");
  return message;
}

TEST_F(GrpcServicesTest, HealthIsServing) {
  // HealthCheckRequest{}; HealthCheckResponse{status: SERVING = 1}.
  const RawAnswer answer = CallRaw(cluster_.address(), "/grpc.health.v1.Health/Check", "");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.bytes, "\x08\x01");
}

TEST_F(GrpcServicesTest, ReflectionListsBothServices) {
  // ServerReflectionRequest{list_services (field 7): ""}.
  const RawAnswer answer =
      CallRaw(cluster_.address(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              std::string("\x3a\x00", 2));
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_THAT(answer.bytes,
              AllOf(HasSubstr("lockstep.v1.JobService"), HasSubstr("lockstep.v1.WorkerService")));
}

TEST_F(GrpcServicesTest, WorkerOfAnotherProtocolVersionIsToldSo) {
  v1::WorkerMessage message = ProperRegister();
  message.mutable_register_()->set_protocol_version(99);
  const grpc::Status status = Connect(message);
  EXPECT_EQ(status.error_code(), grpc::FAILED_PRECONDITION) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("99"));
}

TEST_F(GrpcServicesTest, WorkerThatDoesNotRegisterFirstIsRefused) {
  v1::WorkerMessage message;
  message.mutable_heartbeat();
  EXPECT_EQ(Connect(message).error_code(), grpc::INVALID_ARGUMENT);
  v1::WorkerMessage name = ProperRegister();
  name.mutable_register_()->set_name("a name with spaces");
  EXPECT_EQ(Connect(name).error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Connect(v1::WorkerMessage()).error_code(), grpc::INVALID_ARGUMENT);
  ExpectStillServes();
}

TEST_F(GrpcServicesTest, NonsenseOnAStreamHarmsNobody) {
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff"), std::string(100000, '\x7a'), std::string(1, '\0')}) {
    for (const char* method :
         {"/lockstep.v1.WorkerService/Connect", "/lockstep.v1.JobService/SubmitJob",
          "/lockstep.v1.JobService/GetJob", "/lockstep.v1.JobService/Nothing"}) {
      EXPECT_FALSE(CallRaw(cluster_.address(), method, bytes).status.ok()) << method;
    }
  }
  ExpectStillServes();
}

TEST_F(GrpcServicesTest, HonestWorkersStayWhenAnotherSendsNonsense) {
  cluster_.StartWorker("honest");
  cluster_.WaitForWorkers(1);
  const auto stub = v1::WorkerService::NewStub(Channel());
  grpc::ClientContext context;
  const auto stream = stub->Connect(&context);
  ASSERT_TRUE(stream->Write(ProperRegister()));
  v1::ServerMessage welcome;
  ASSERT_TRUE(stream->Read(&welcome));
  EXPECT_EQ(welcome.welcome().name(), "tester");
  cluster_.WaitForWorkers(2);
  // A gradient of a job that there is not.
  v1::WorkerMessage message;
  message.mutable_gradient_chunk()->set_job_id("no such job");
  message.mutable_gradient_chunk()->set_end_shard(1u << 31);
  message.set_payload("abc");
  stream->Write(message);
  // Registered twice.
  stream->Write(ProperRegister());
  v1::ServerMessage answer;
  while (stream->Read(&answer)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::INVALID_ARGUMENT);
  cluster_.WaitForWorkers(1);
  EXPECT_EQ(cluster_.Workers().workers(0).name(), "honest");
}

TEST_F(GrpcServicesTest, SpecThatNoClientMakesIsRefused) {
  const auto stub = v1::JobService::NewStub(Channel());
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_name("empty");
  for (const bool with_spec : {true, false}) {
    grpc::ClientContext context;
    v1::Job job;
    const auto writer = stub->SubmitJob(&context, &job);
    if (with_spec) writer->Write(request);
    writer->WritesDone();
    EXPECT_EQ(writer->Finish().error_code(), grpc::INVALID_ARGUMENT);
  }
  EXPECT_EQ(cluster_.Lockstep({"list"}).out, "no jobs\n");
}

}  // namespace
}  // namespace lockstep::tests
