#include "client/job_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/server_address.h"
#include "lockstep/v1/job_service.grpc.pb.h"

namespace lockstep::client {
namespace {

// The most that job_service.proto allows in one message.
constexpr size_t kPieceBytes = 1 << 20;
constexpr int kMostArrivals = 100000;
// A job's message grows by some 50 bytes with every epoch, a list by every job.
constexpr int kLargestMessageBytes = 256 << 20;
// A file may cross a slow link at 1 MiB/s before a submission is given up.
constexpr double kSlowestBytesPerSecond = 1 << 20;
// An upper bound for pulling a model, however steadily its pieces come.
constexpr absl::Duration kLongestPull = absl::Hours(24);

grpc::ChannelArguments ChannelArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kLargestMessageBytes);
  arguments.SetMaxSendMessageSize(kLargestMessageBytes);
  // A cluster's server is not behind the proxy that the environment names.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Who calls again is the watcher, with a backoff of its own; the channel
  // only must not be slower than that.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Despite its name also what one attempt may take, until the server's first
  // words: enough for a busy or a distant one, less than a call's deadline. (A
  // refused connection fails at once all the same.)
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return arguments;
}

class GrpcJobClient : public JobClient {
 public:
  GrpcJobClient(std::string address, const std::string& target, const JobClientTimeouts& timeouts)
      : address_(std::move(address)),
        timeouts_(timeouts),
        stub_(v1::JobService::NewStub(grpc::CreateCustomChannel(
            target, grpc::InsecureChannelCredentials(), ChannelArguments()))) {}

  absl::StatusOr<v1::Job> Submit(const v1::JobSpec& spec,
                                 const std::string& init_from_path) override;

  absl::StatusOr<v1::Job> SubmitBytes(const v1::JobSpec& spec, absl::string_view checkpoint,
                                      const v1::Arrivals& replay) override;

  absl::StatusOr<v1::Job> SubmitFork(const v1::JobSpec& spec,
                                     const v1::ForkRequest& from) override {
    Call call(this, timeouts_.cancel);  // the server reads and writes a checkpoint
    v1::Job job;
    auto stream = stub_->SubmitJob(call.context(), &job);
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    *request.mutable_from() = from;
    stream->Write(request);
    stream->WritesDone();
    absl::Status status = Convert(stream->Finish());
    if (!status.ok()) return status;
    return job;
  }

  absl::StatusOr<v1::Job> Get(const std::string& job_id) override {
    v1::GetJobRequest request;
    request.set_job_id(job_id);
    return Unary<v1::Job>(timeouts_.call, &v1::JobService::Stub::GetJob, request);
  }
  absl::StatusOr<v1::ListJobsResponse> ListJobs() override {
    return Unary<v1::ListJobsResponse>(timeouts_.call, &v1::JobService::Stub::ListJobs,
                                       v1::ListJobsRequest());
  }
  absl::StatusOr<v1::ListWorkersResponse> ListWorkers() override {
    return Unary<v1::ListWorkersResponse>(timeouts_.call, &v1::JobService::Stub::ListWorkers,
                                          v1::ListWorkersRequest());
  }
  absl::StatusOr<v1::LiftQuarantineResponse> LiftQuarantine(const std::string& worker) override {
    v1::LiftQuarantineRequest request;
    request.set_name(worker);
    return Unary<v1::LiftQuarantineResponse>(timeouts_.cancel,
                                             &v1::JobService::Stub::LiftQuarantine, request);
  }
  absl::StatusOr<v1::Job> Cancel(const std::string& job_id) override {
    v1::CancelJobRequest request;
    request.set_job_id(job_id);
    return Unary<v1::Job>(timeouts_.cancel, &v1::JobService::Stub::CancelJob, request);
  }
  absl::StatusOr<v1::Job> Pause(const std::string& job_id) override {
    v1::PauseJobRequest request;
    request.set_job_id(job_id);
    return Unary<v1::Job>(timeouts_.cancel, &v1::JobService::Stub::PauseJob, request);
  }
  absl::StatusOr<v1::Job> Resume(const std::string& job_id) override {
    v1::ResumeJobRequest request;
    request.set_job_id(job_id);
    return Unary<v1::Job>(timeouts_.call, &v1::JobService::Stub::ResumeJob, request);
  }

  absl::Status Watch(const std::string& job_id, uint32_t interval_ms,
                     const std::function<void(v1::Job)>& receive) override;
  absl::Status Pull(const std::string& job_id, std::optional<uint64_t> step,
                    const std::function<absl::Status(absl::string_view)>& sink) override;

  absl::StatusOr<std::string> PullCheckpoint(const std::string& job_id, uint64_t step) override;
  absl::StatusOr<v1::ListCheckpointsResponse> ListCheckpoints(const std::string& job_id) override {
    v1::ListCheckpointsRequest request;
    request.set_job_id(job_id);
    return Unary<v1::ListCheckpointsResponse>(timeouts_.call,
                                              &v1::JobService::Stub::ListCheckpoints, request);
  }
  absl::StatusOr<v1::ListReceiptsResponse> ListReceipts(const std::string& job_id) override {
    v1::ListReceiptsRequest request;
    request.set_job_id(job_id);
    return Unary<v1::ListReceiptsResponse>(timeouts_.call, &v1::JobService::Stub::ListReceipts,
                                           request);
  }
  absl::StatusOr<v1::Arrivals> GetArrivals(const std::string& job_id) override {
    v1::GetArrivalsRequest request;
    request.set_job_id(job_id);
    Call call(this, timeouts_.cancel);
    auto stream = stub_->GetArrivals(call.context(), request);
    v1::Arrivals all, piece;
    while (stream->Read(&piece)) all.MergeFrom(piece);
    const absl::Status status = Convert(stream->Finish());
    if (!status.ok()) return status;
    return all;
  }
  absl::StatusOr<v1::JobDigests> GetDigests(const std::string& job_id,
                                            uint64_t after_step) override {
    v1::GetDigestsRequest request;
    request.set_job_id(job_id);
    request.set_after_step(after_step);
    return Unary<v1::JobDigests>(timeouts_.call, &v1::JobService::Stub::GetDigests, request);
  }

  void CancelCalls() override {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    for (grpc::ClientContext* call : calls_) call->TryCancel();
  }

 private:
  // A call's context, known to CancelCalls() for as long as it lives.
  class Call {
   public:
    Call(GrpcJobClient* client, absl::Duration timeout) : client_(client) {
      context_.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
      absl::MutexLock lock(&client_->mutex_);
      client_->calls_.insert(&context_);
      if (client_->cancelled_) context_.TryCancel();
    }
    ~Call() {
      absl::MutexLock lock(&client_->mutex_);
      client_->calls_.erase(&context_);
    }
    grpc::ClientContext* context() { return &context_; }

   private:
    GrpcJobClient* const client_;
    grpc::ClientContext context_;
  };

  template <typename Response, typename Method, typename Request>
  absl::StatusOr<Response> Unary(absl::Duration timeout, Method method, const Request& request) {
    Call call(this, timeout);
    Response response;
    absl::Status status = Convert(((*stub_).*method)(call.context(), request, &response));
    if (!status.ok()) return status;
    return response;
  }

  // gRPC's status with words for people where the server did not speak.
  absl::Status Convert(const grpc::Status& status) const;

  const std::string address_;
  const JobClientTimeouts timeouts_;
  const std::unique_ptr<v1::JobService::Stub> stub_;
  absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mutex_);
};

absl::Status GrpcJobClient::Convert(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  switch (code) {
    case absl::StatusCode::kUnavailable:
      return absl::UnavailableError(
          absl::StrCat("cannot reach the server at ", address_, ": ", status.error_message()));
    case absl::StatusCode::kDeadlineExceeded:
      return absl::DeadlineExceededError(
          absl::StrCat("the server at ", address_, " did not answer in time"));
    case absl::StatusCode::kUnimplemented:
      return absl::UnimplementedError(
          absl::StrCat("what answers at ", address_, " is not a lockstep-server"));
    case absl::StatusCode::kCancelled:
      return absl::CancelledError("interrupted");
    default:
      return absl::Status(code, status.error_message());
  }
}

absl::StatusOr<v1::Job> GrpcJobClient::Submit(const v1::JobSpec& spec,
                                              const std::string& init_from_path) {
  std::ifstream file;
  double file_bytes = 0;
  if (!init_from_path.empty()) {
    file.open(init_from_path, std::ios::binary | std::ios::ate);
    if (!file) return absl::InvalidArgumentError("init_from: cannot open " + init_from_path);
    file_bytes = static_cast<double>(file.tellg());
    file.seekg(0);
  }
  Call call(this, timeouts_.call + absl::Seconds(file_bytes / kSlowestBytesPerSecond));
  v1::Job job;
  auto stream = stub_->SubmitJob(call.context(), &job);
  v1::SubmitJobRequest request;
  *request.mutable_spec() = spec;
  bool open = stream->Write(request);
  request.Clear();
  std::string piece(kPieceBytes, '\0');
  while (open && file.is_open() && file.good()) {
    file.read(piece.data(), piece.size());
    if (file.gcount() == 0) break;
    request.set_init_from_data(piece.data(), file.gcount());
    // False: the server has ended the call; Finish() says why.
    open = stream->Write(request);
  }
  const bool read_failed = file.is_open() && file.bad();
  if (read_failed) call.context()->TryCancel();
  stream->WritesDone();
  absl::Status status = Convert(stream->Finish());
  if (read_failed) return absl::InternalError("init_from: reading " + init_from_path + " failed");
  if (!status.ok()) return status;
  return job;
}

absl::Status GrpcJobClient::Watch(const std::string& job_id, uint32_t interval_ms,
                                  const std::function<void(v1::Job)>& receive) {
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  request.set_interval_ms(interval_ms);
  Call call(this, timeouts_.watch);
  auto stream = stub_->WatchJob(call.context(), request);
  v1::Job job;
  while (stream->Read(&job)) receive(std::move(job));
  return Convert(stream->Finish());
}

// One PullModel or PullCheckpoint call, each of whose steps is waited for `patience` at most: a
// whole model has no deadline that suits both a large one and a dead server.
class PullCall {
 public:
  using Reader = std::unique_ptr<grpc::ClientAsyncReader<v1::PullModelResponse>>;

  // `start` makes the call, with a null tag.
  PullCall(grpc::ClientContext* context, absl::Duration patience,
           const std::function<Reader(grpc::CompletionQueue*)>& start)
      : context_(context), patience_(patience), reader_(start(&queue_)) {}
  ~PullCall() {
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  // Whether the call was made, and whether another piece came.
  bool Started() { return Wait(); }
  bool Read(v1::PullModelResponse* piece) {
    reader_->Read(piece, nullptr);
    return Wait();
  }
  grpc::Status Finish() {
    grpc::Status status;
    reader_->Finish(&status, nullptr);
    Wait();
    return timed_out_ ? grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "") : status;
  }

 private:
  // The result of the one operation under way. After too long a wait it
  // cancels the call, whereupon the operation ends at once.
  bool Wait() {
    void* tag;
    bool ok = false;
    const auto deadline = absl::ToChronoTime(absl::Now() + patience_);
    if (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::TIMEOUT) {
      timed_out_ = true;
      context_->TryCancel();
      queue_.Next(&tag, &ok);
    }
    return ok;
  }

  grpc::ClientContext* const context_;
  const absl::Duration patience_;
  bool timed_out_ = false;
  grpc::CompletionQueue queue_;
  Reader reader_;
};

// All pieces of a call to `sink`; its error, which also cancels the call.
absl::Status Drain(PullCall* pull, grpc::ClientContext* context,
                   const std::function<absl::Status(absl::string_view)>& sink) {
  absl::Status sunk = absl::OkStatus();
  if (pull->Started()) {
    v1::PullModelResponse piece;
    while (sunk.ok() && pull->Read(&piece)) sunk = sink(piece.data());
  }
  if (!sunk.ok()) context->TryCancel();
  return sunk;
}

absl::Status GrpcJobClient::Pull(const std::string& job_id, std::optional<uint64_t> step,
                                 const std::function<absl::Status(absl::string_view)>& sink) {
  v1::PullModelRequest request;
  request.set_job_id(job_id);
  if (step.has_value()) request.set_step(*step);
  Call call(this, kLongestPull);
  PullCall pull(call.context(), timeouts_.pull_piece, [&](grpc::CompletionQueue* queue) {
    return stub_->AsyncPullModel(call.context(), request, queue, nullptr);
  });
  const absl::Status sunk = Drain(&pull, call.context(), sink);
  const absl::Status status = Convert(pull.Finish());
  return sunk.ok() ? status : sunk;
}

absl::StatusOr<std::string> GrpcJobClient::PullCheckpoint(const std::string& job_id,
                                                          uint64_t step) {
  v1::PullCheckpointRequest request;
  request.set_job_id(job_id);
  request.set_step(step);
  Call call(this, kLongestPull);
  PullCall pull(call.context(), timeouts_.pull_piece, [&](grpc::CompletionQueue* queue) {
    return stub_->AsyncPullCheckpoint(call.context(), request, queue, nullptr);
  });
  std::string bytes;
  Drain(&pull, call.context(), [&bytes](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  }).IgnoreError();
  const absl::Status status = Convert(pull.Finish());
  if (!status.ok()) return status;
  return bytes;
}

absl::StatusOr<v1::Job> GrpcJobClient::SubmitBytes(const v1::JobSpec& spec,
                                                   absl::string_view checkpoint,
                                                   const v1::Arrivals& replay) {
  Call call(this, timeouts_.cancel);
  v1::Job job;
  auto stream = stub_->SubmitJob(call.context(), &job);
  v1::SubmitJobRequest request;
  *request.mutable_spec() = spec;
  bool open = stream->Write(request);
  request.Clear();
  for (size_t at = 0; open && at < checkpoint.size(); at += kPieceBytes) {
    const absl::string_view piece = checkpoint.substr(at, kPieceBytes);
    request.set_init_from_data(piece.data(), piece.size());
    open = stream->Write(request);
  }
  for (int at = 0; open && at < replay.tickets_size(); at += kMostArrivals) {
    request.Clear();
    request.mutable_replay()->set_step(replay.step());
    for (int i = at; i < std::min(replay.tickets_size(), at + kMostArrivals); ++i) {
      request.mutable_replay()->add_tickets(replay.tickets(i));
      request.mutable_replay()->add_bases(replay.bases(i));
    }
    open = stream->Write(request);
  }
  stream->WritesDone();
  const absl::Status status = Convert(stream->Finish());
  if (!status.ok()) return status;
  return job;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobClient>> JobClient::Create(absl::string_view address,
                                                             const JobClientTimeouts& timeouts) {
  absl::StatusOr<std::string> target = GrpcTarget(address);
  if (!target.ok()) return target.status();
  return std::make_unique<GrpcJobClient>(std::string(address), *target, timeouts);
}

}  // namespace lockstep::client
