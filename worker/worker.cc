#include "worker/worker.h"

#include <grpcpp/grpcpp.h>
#include <omp.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "engine/kernels/instruction_set.h"
#include "engine/storage.h"
#include "proto/codec/server_address.h"
#include "proto/codec/transport_arguments.h"
#include "proto/codec/worker_name.h"
#include "worker/job_session.h"
#include "worker/server_stream.h"

namespace lockstep::worker {
namespace {

// What this worker speaks (worker_service.proto).
constexpr uint32_t kProtocolVersion = 4;

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

// By the kernel, never by what the bit path draws from. Empty where it gives none:
// the server then goes by host and pid.
std::string DrawInstance() {
  char bytes[16];
  const ssize_t drawn = getrandom(bytes, sizeof(bytes), 0);
  return drawn == sizeof(bytes) ? std::string(bytes, sizeof(bytes)) : "";
}

v1::WorkerMessage RegisterMessage(const WorkerOptions& options, const std::string& instance) {
  v1::WorkerMessage message;
  v1::Register& self = *message.mutable_register_();
  self.set_protocol_version(kProtocolVersion);
  self.set_name(options.name);
  self.set_host(HostName());
  self.set_pid(static_cast<uint32_t>(getpid()));
  self.set_threads(static_cast<uint32_t>(options.threads));
  self.set_instruction_set(kernels::ActiveInstructionSet());
  self.set_instance(instance);
  return message;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  ForEachTransportArgument(
      [&arguments](const char* name, int value) { arguments.SetInt(name, value); });
  // Each connection is a try of its own, paced by the RetryPolicy.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A server whose machine is gone says nothing; pings find out.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

// Sends heartbeats until told to stop.
class Heartbeat {
 public:
  explicit Heartbeat(ServerStream* stream) : stream_(stream) {}
  ~Heartbeat() {
    if (!thread_.joinable()) return;
    stop_.Notify();
    thread_.join();
  }
  void Start(absl::Duration interval) {
    if (thread_.joinable()) return;
    thread_ = std::thread([this, interval] {
      while (!stop_.WaitForNotificationWithTimeout(interval)) stream_->SendHeartbeat();
    });
  }

 private:
  ServerStream* const stream_;
  absl::Notification stop_;
  std::thread thread_;
};

// The job that the network's thread may deliver parameters for.
class PresentJob {
 public:
  void Set(std::shared_ptr<JobSession> session) {
    absl::MutexLock lock(&mutex_);
    session_ = std::move(session);
  }
  std::shared_ptr<JobSession> Get() const {
    absl::MutexLock lock(&mutex_);
    return session_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<JobSession> session_ ABSL_GUARDED_BY(mutex_);
};

absl::Status TakeParameters(const PresentJob& job, const v1::ParameterChunk& chunk,
                            const FramePayload& payload) {
  const std::shared_ptr<JobSession> session = job.Get();
  // Of a job that this worker has just given up.
  if (session == nullptr || session->job_id() != chunk.job_id()) return absl::OkStatus();
  return session->replica()->Receive(chunk.version(), chunk.chunk(), payload.size_bytes(),
                                     [&payload](float* out) { payload.CopyTo(out); });
}

// The next message from shared memory that is not about parameters, which are
// taken on the way; nothing once interrupted, or after an error, and where it is not
// to wait for one.
std::optional<v1::ServerMessage> NextShared(const PresentJob& job, WorkerSharedMessages& shared,
                                            ServerStream& stream, bool waits) {
  // Only guards against a lost wake-up.
  constexpr absl::Duration kWait = absl::Seconds(1);
  while (!shared.interrupted()) {
    auto received = shared.Next();
    absl::Status status = received.status();
    if (status.ok() && !received->has_value()) {
      (void)shared.Flush();
      if (!waits) return std::nullopt;
      shared.Wait(kWait);
      continue;
    }
    if (status.ok()) {
      v1::ServerMessage& message = (*received)->message;
      if (!message.has_parameter_chunk()) return std::move(message);
      const std::shared_ptr<JobSession> session = job.Get();
      if (session == nullptr || session->job_id() != message.parameter_chunk().job_id()) continue;
      status = session->TakeParameters(message.parameter_chunk(), (*received)->values,
                                       (*received)->begin);
    }
    if (!status.ok()) {
      stream.Fail(status);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

v1::WorkerMessage ErrorMessage(const std::string& job_id, const absl::Status& status, bool fatal) {
  v1::WorkerMessage message;
  message.mutable_job_error()->set_job_id(job_id);
  message.mutable_job_error()->set_message(std::string(status.message()));
  message.mutable_job_error()->set_fatal_to_job(fatal);
  return message;
}

// `last`: the session of the connection before, where it may serve again.
void PrepareJob(const v1::PrepareJob& request, const LayerRegistry& layers, FaultInjection* faults,
                std::shared_ptr<JobSession> last, PresentJob& job, ServerStream& stream) {
  job.Set(nullptr);
  if (last != nullptr && last->Serves(request)) {
    last->Renew();
    job.Set(last);
    stream.Send(last->ReadyMessage());
    return;
  }
  last.reset();
  auto session = JobSession::Prepare(request, layers, faults);
  if (!session.ok()) {
    // The same bytes would be wrong on any worker; a missing or other file is
    // this machine's own trouble.
    stream.Send(ErrorMessage(request.job_id(), session.status(),
                             absl::IsInvalidArgument(session.status())));
    return;
  }
  job.Set(*session);
  stream.Send((*session)->ReadyMessage());
}

void SendIfWrong(const absl::Status& status, const JobSession& session, ServerStream& stream) {
  if (status.ok()) return;
  stream.Send(ErrorMessage(session.job_id(), status, absl::IsInvalidArgument(status)));
}

// The next message to take, computing nodes as long as there is none; nothing once
// the inbox is closed.
std::optional<v1::ServerMessage> NextMessage(Inbox& inbox, const PresentJob& job,
                                             ServerStream& stream,
                                             std::deque<v1::ServerMessage>& postponed) {
  while (!inbox.closed()) {
    if (!postponed.empty()) {
      v1::ServerMessage message = std::move(postponed.front());
      postponed.pop_front();
      return message;
    }
    const std::shared_ptr<JobSession> session = job.Get();
    if (session == nullptr || !session->HasWork()) return inbox.Take();
    if (auto message = inbox.TryTake()) return message;
    // A SendNodes is for nodes that somebody else may be waiting for.
    const auto look = [&] {
      while (auto message = inbox.TryTake()) {
        const bool names_nodes =
            message->has_send_nodes() && message->send_nodes().job_id() == session->job_id();
        if (names_nodes) session->TakeSendNodes(message->send_nodes(), stream);
        // It may be about a Round that is postponed, too.
        if (!names_nodes || !postponed.empty()) postponed.push_back(*std::move(message));
      }
    };
    SendIfWrong(session->ComputeNext(stream, look), *session, stream);
  }
  return std::nullopt;
}

}  // namespace

absl::Status WorkerOptions::Validate() const {
  const absl::Status address = CheckServerAddress("--server", server, /*least_port=*/1);
  if (!address.ok()) return address;
  if (auto status = CheckWorkerName("--name", name); !status.ok()) return status;
  if (threads < 1 || threads > 1024) {
    return absl::InvalidArgumentError(absl::StrCat("--threads: got ", threads, ", want 1 to 1024"));
  }
  if (!(faults.corrupt_shard >= 0 && faults.corrupt_shard <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--corrupt-shard: got ", faults.corrupt_shard, ", want 0 to 1"));
  }
  return absl::OkStatus();
}

Worker::Worker(WorkerOptions options)
    : options_(std::move(options)),
      instance_(DrawInstance()),
      retry_(absl::Milliseconds(50), absl::Seconds(2), static_cast<uint32_t>(getpid())),
      faults_(options_.faults) {}

void Worker::Stop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  if (inbox_ != nullptr) inbox_->Close();
}

void Worker::DropConnection() {
  absl::MutexLock lock(&mutex_);
  if (stream_ != nullptr) stream_->Break();
}

void Worker::SetStream(ServerStream* stream) {
  absl::MutexLock lock(&mutex_);
  stream_ = stream;
}

absl::Status Worker::Run() {
  omp_set_num_threads(options_.threads);
  std::string last_reason;
  while (true) {
    const absl::Status status = Serve();
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::OkStatus();
    if (absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status)) return status;
    const std::string reason(status.message());
    if (reason != last_reason) {
      std::fprintf(stderr, "lockstep-worker: no connection to %s (%s), trying again\n",
                   options_.server.c_str(), reason.c_str());
      last_reason = reason;
    }
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), retry_.NextWait());
    if (stopping_) return absl::OkStatus();
  }
}

absl::Status Worker::Serve() {
  const auto inbox = std::make_shared<Inbox>();
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::OkStatus();
    inbox_ = inbox;
  }
  PresentJob job;
  std::shared_ptr<WorkerSharedMessages> shared;  // of the computing thread
  ServerStream stream(
      Connect(options_.server),
      [&job, &inbox](v1::ServerMessage message, const FramePayload& payload) {
        if (message.has_parameter_chunk()) {
          return TakeParameters(job, message.parameter_chunk(), payload);
        }
        inbox->Put(std::move(message));
        return absl::OkStatus();
      },
      [&](std::shared_ptr<WorkerSharedMessages> messages) {
        std::fprintf(stderr, "lockstep-worker: shares memory with the server\n");
        inbox->ContinueFrom(
            {[&, messages] {
               shared = messages;
               return NextShared(job, *messages, stream, /*waits=*/true);
             },
             [&, messages] { return NextShared(job, *messages, stream, /*waits=*/false); },
             [messages] { messages->Interrupt(); }});
      },
      [&inbox] { inbox->Close(); });
  SetStream(&stream);
  Heartbeat heartbeat(&stream);
  stream.Register(RegisterMessage(options_, instance_), options_.shared_memory);
  const auto forget_job = [&] {
    job.Set(nullptr);
    last_session_.reset();
    if (shared != nullptr) shared->ReleaseAll();
    ReleaseStorageCache();
  };
  std::deque<v1::ServerMessage> postponed;  // came while a node was computed
  while (const auto message = NextMessage(*inbox, job, stream, postponed)) {
    if (message->has_welcome()) {
      retry_.Reset();
      heartbeat.Start(absl::Milliseconds(std::max(1u, message->welcome().lease_ms() / 3)));
      std::fprintf(stderr, "lockstep-worker: connected to %s as %s\n", options_.server.c_str(),
                   message->welcome().name().c_str());
    } else if (message->has_prepare_job()) {
      if (shared != nullptr) shared->ReleaseAll();
      PrepareJob(message->prepare_job(), options_.layers, &faults_, std::move(last_session_), job,
                 stream);
      last_session_ = job.Get();
    } else if (message->has_round()) {
      const std::shared_ptr<JobSession> session = job.Get();
      if (session == nullptr || session->job_id() != message->round().job_id()) continue;
      SendIfWrong(session->TakeRound(message->round()), *session, stream);
    } else if (message->has_send_nodes()) {
      const std::shared_ptr<JobSession> session = job.Get();
      if (session == nullptr || session->job_id() != message->send_nodes().job_id()) continue;
      session->TakeSendNodes(message->send_nodes(), stream);
    } else if (message->has_release_job()) {
      forget_job();
    } else if (message->has_quarantine_lifted()) {
      std::fprintf(stderr, "lockstep-worker: trusted again: it may get work from now on\n");
    } else if (message->has_quarantine()) {
      // With what it has read: that may be wrong as well.
      forget_job();
      std::fprintf(stderr,
                   "lockstep-worker: the server gives this worker no more work: %s; check the "
                   "machine, then start it again or have `lockstep workers release` trust it\n",
                   message->quarantine().reason().c_str());
    }
  }
  SetStream(nullptr);
  if (!stream.ended()) {
    v1::WorkerMessage goodbye;
    goodbye.mutable_goodbye()->set_reason("stopped");
    stream.Send(goodbye);
    stream.CloseAfterSending();
  }
  return stream.AwaitEnd();
}

}  // namespace lockstep::worker
