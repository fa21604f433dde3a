#include "server/parameter_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/codec/server_address.h"
#include "proto/codec/transport_arguments.h"
#include "server/job_manager.h"
#include "server/job_service.h"
#include "server/worker_service.h"

namespace lockstep::server {
namespace {

// How often workers are looked at: a fifth of the least time after which one
// counts as late.
constexpr absl::Duration kTick = absl::Milliseconds(20);

// gRPC replaces a socket that is there, also one that another server listens
// on, whose clients would then end up here.
absl::Status CheckSocketIsFree(const std::string& listen) {
  const std::string path(absl::StripPrefix(listen, "unix:"));
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() == listen.size() || path.size() >= sizeof(address.sun_path)) {
    return absl::OkStatus();
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return absl::OkStatus();
  const bool answers =
      connect(descriptor, reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) == 0;
  close(descriptor);
  if (!answers) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("--listen: cannot listen on ", listen, " (another server does)"));
}

}  // namespace

absl::Status ParameterServer::Options::Validate() const {
  if (state_dir.empty()) {
    return absl::InvalidArgumentError("--state-dir: got nothing, want a folder");
  }
  const absl::Status address = CheckServerAddress("--listen", listen, /*least_port=*/0);
  if (!address.ok()) return address;
  if (lease < absl::Milliseconds(100) || lease > absl::Hours(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--lease: got ", absl::FormatDuration(lease), ", want 100ms to 1h"));
  }
  return absl::OkStatus();
}

ParameterServer::ParameterServer(Options options) : options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<ParameterServer>> ParameterServer::Start(Options options) {
  if (auto status = options.Validate(); !status.ok()) return status;
  if (auto status = CheckSocketIsFree(options.listen); !status.ok()) return status;
  std::unique_ptr<ParameterServer> server(new ParameterServer(std::move(options)));
  JobManager::Options manager_options;
  manager_options.state_dir = server->options_.state_dir;
  manager_options.lease = server->options_.lease;
  manager_options.layers = server->options_.layers;
  auto manager = JobManager::Open(std::move(manager_options));
  if (!manager.ok()) return manager.status();
  server->manager_ = *std::move(manager);
  server->job_service_ = std::make_unique<JobServiceImpl>(server->manager_.get());
  server->worker_service_ =
      std::make_unique<WorkerServiceImpl>(server->manager_.get(), server->options_.shared_memory);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(server->options_.listen, grpc::InsecureServerCredentials(), &port);
  // Two servers on one port would share out its connections by chance.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(8 << 20);
  ForEachTransportArgument(
      [&builder](const char* name, int value) { builder.AddChannelArgument(name, value); });
  builder.RegisterService(server->job_service_.get());
  builder.RegisterService(server->worker_service_.get());
  server->grpc_server_ = builder.BuildAndStart();
  if (server->grpc_server_ == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("--listen: cannot listen on ",
                                               server->options_.listen,
                                               " (in use, or not an address of this machine)"));
  }
  server->address_ = server->options_.listen;
  if (!absl::StartsWith(server->address_, "unix:")) {
    server->address_ =
        absl::StrCat(server->address_.substr(0, server->address_.rfind(':')), ":", port);
  }
  server->manager_->SetAddress(server->address_);
  server->watch_thread_ = std::thread([raw = server.get()] { raw->WatchWorkers(); });
  return server;
}

void ParameterServer::WatchWorkers() {
  while (!stopped_.WaitForNotificationWithTimeout(kTick)) manager_->Tick();
}

void ParameterServer::Shutdown(absl::Duration timeout) {
  // Without a manager it has never started.
  if (manager_ == nullptr || stopped_.HasBeenNotified()) return;
  stopped_.Notify();
  if (watch_thread_.joinable()) watch_thread_.join();
  manager_->Shutdown(timeout);
  job_service_->Stop();
  if (grpc_server_ != nullptr) {
    grpc_server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    grpc_server_->Wait();
  }
}

ParameterServer::~ParameterServer() { Shutdown(); }

}  // namespace lockstep::server
