#include "server/parameter_server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "lockstep/v1/job_service.grpc.pb.h"

namespace lockstep::server {
namespace {

std::string NewFolder() {
  std::string path = std::string(testing::TempDir()) + "/parameter-server-XXXXXX";
  EXPECT_NE(mkdtemp(&path[0]), nullptr);
  return path;
}

// Not in the test's own folder, whose path may be too long for a socket's.
// The server removes it at its end.
std::string NewSocket() {
  static int number = 0;
  return "unix:/tmp/lockstep-test-" + std::to_string(getpid()) + "-" + std::to_string(number++);
}

ParameterServer::Options OptionsFor(const std::string& state_dir) {
  ParameterServer::Options options;
  options.listen = "127.0.0.1:0";
  options.state_dir = state_dir;
  return options;
}

TEST(ParameterServerTest, AnswersOnTheAddressThatItNames) {
  auto server = ParameterServer::Start(OptionsFor(NewFolder()));
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_NE((*server)->address(), "127.0.0.1:0");
  const auto stub = v1::JobService::NewStub(
      grpc::CreateChannel((*server)->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::ListJobsResponse response;
  EXPECT_TRUE(stub->ListJobs(&context, {}, &response).ok());
  (*server)->Shutdown();
  (*server)->Shutdown();
}

TEST(ParameterServerTest, ListensOnAUnixSocket) {
  auto options = OptionsFor(NewFolder());
  options.listen = NewSocket();
  const auto server = ParameterServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ((*server)->address(), options.listen);
}

TEST(ParameterServerTest, WrongOptionsNameTheirFlag) {
  auto options = OptionsFor("");
  EXPECT_EQ(ParameterServer::Start(options).status().message(),
            "--state-dir: got nothing, want a folder");
  options = OptionsFor(NewFolder());
  options.listen = "nonsense";
  EXPECT_TRUE(absl::IsInvalidArgument(ParameterServer::Start(options).status()));
  options = OptionsFor(NewFolder());
  options.lease = absl::Milliseconds(1);
  EXPECT_TRUE(absl::IsInvalidArgument(ParameterServer::Start(options).status()));
}

TEST(ParameterServerTest, AStateFolderThatCannotBeIsAnErrorAndNoCrash) {
  const std::string file = NewFolder() + "/file";
  std::ofstream(file) << "x";
  EXPECT_FALSE(ParameterServer::Start(OptionsFor(file)).ok());
}

TEST(ParameterServerTest, APortInUseIsAnError) {
  const auto first = ParameterServer::Start(OptionsFor(NewFolder()));
  ASSERT_TRUE(first.ok());
  auto options = OptionsFor(NewFolder());
  options.listen = (*first)->address();
  EXPECT_TRUE(absl::IsUnavailable(ParameterServer::Start(options).status()));
}

TEST(ParameterServerTest, AddressesThatGrpcWouldMisreadAreRefused) {
  for (const char* listen : {"127.0.0.1:", "127.0.0.1:99999", "unix:", ":0"}) {
    auto options = OptionsFor(NewFolder());
    options.listen = listen;
    EXPECT_TRUE(absl::IsInvalidArgument(ParameterServer::Start(options).status())) << listen;
  }
}

TEST(ParameterServerTest, ASocketThatAnotherServerListensOnIsLeftToIt) {
  auto options = OptionsFor(NewFolder());
  options.listen = NewSocket();
  const auto first = ParameterServer::Start(options);
  ASSERT_TRUE(first.ok()) << first.status();
  options.state_dir = NewFolder();
  EXPECT_TRUE(absl::IsUnavailable(ParameterServer::Start(options).status()));
  const auto stub = v1::JobService::NewStub(
      grpc::CreateChannel(options.listen, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::ListJobsResponse response;
  EXPECT_TRUE(stub->ListJobs(&context, {}, &response).ok());
}

}  // namespace
}  // namespace lockstep::server
