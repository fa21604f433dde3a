// Peers that wish the server ill, on the port of a server in this process: it
// must not end, must say what was wrong, and other jobs must not notice.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/model/build_model.h"
#include "engine/model/job_spec.h"
#include "lockstep/v1/job_service.grpc.pb.h"
#include "lockstep/v1/worker_service.grpc.pb.h"
#include "server/parameter_server.h"
#include "server/testing/fake_worker.h"
#include "tests/integration/raw_call.h"

namespace lockstep::server {
namespace {

using ::testing::HasSubstr;
using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::ServerMessage>;

constexpr char kConnect[] = "/lockstep.v1.WorkerService/Connect";

v1::JobSpec Spec(uint64_t steps) {
  v1::JobSpec spec;
  spec.set_name("spec");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_path("/nowhere/examples.csv");
  spec.mutable_data()->mutable_train()->mutable_csv()->set_sha256(std::string(64, 'a'));
  spec.add_model()->mutable_linear()->set_out_features(3);
  spec.mutable_loss()->mutable_cross_entropy();
  spec.mutable_optimizer()->mutable_sgd()->set_learning_rate(0.1f);
  spec.set_steps(steps);
  spec.set_batch_size(20);
  FillJobDefaults(&spec);
  spec.mutable_data_summary()->set_training_examples(50);
  spec.mutable_data_summary()->add_example_shape(4);
  spec.mutable_data_summary()->set_classes(3);
  return spec;
}

v1::WorkerMessage Register(const std::string& name) {
  v1::WorkerMessage message;
  message.mutable_register_()->set_protocol_version(4);
  message.mutable_register_()->set_name(name);
  return message;
}

int64_t TotalElements(const v1::JobSpec& spec) {
  return PlanModel(spec, Shape{4})->layout.total_elements();
}

// A worker's stream, by hand.
class Peer {
 public:
  explicit Peer(const std::string& address)
      : stub_(v1::WorkerService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    stream_ = stub_->Connect(&context_);
  }
  ~Peer() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  bool Send(const v1::WorkerMessage& message) { return stream_->Write(message); }
  bool Read(v1::ServerMessage* message) { return stream_->Read(message); }
  grpc::Status End() {
    v1::ServerMessage rest;
    while (stream_->Read(&rest)) {
    }
    finished_ = true;
    return stream_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

  // Registers, is given a job, claims to be ready; returns the first round.
  v1::Round JoinAndAwaitRound(const v1::JobSpec& spec) {
    EXPECT_TRUE(Send(Register("villain")));
    v1::ServerMessage message;
    while (Read(&message) && !message.has_round()) {
      if (!message.has_prepare_job()) continue;
      v1::WorkerMessage ready;
      ready.mutable_job_ready()->set_job_id(message.prepare_job().job_id());
      ready.mutable_job_ready()->set_training_examples(spec.data_summary().training_examples());
      Send(ready);
    }
    EXPECT_TRUE(message.has_round());
    return message.round();
  }

 private:
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  bool finished_ = false;
};

// A worker that does what it is asked, until the stream ends.
void WorkHonestly(const v1::JobSpec& spec, Peer* peer) {
  FakeWorker worker(spec, TotalElements(spec));
  peer->Send(Register("honest"));
  v1::ServerMessage message;
  while (peer->Read(&message)) {
    Tensor values;
    if (message.has_parameter_chunk()) {
      values = Tensor::Empty(Shape{static_cast<int64_t>(message.payload().size() / sizeof(float))});
      std::memcpy(values.data<float>(), message.payload().data(), message.payload().size());
      worker.Send(message, values);
    } else {
      worker.Send(message);
    }
    worker.Work();
    while (worker.has_answer()) {
      FakeWorker::Answer answer = worker.TakeAnswer();
      if (answer.values.defined()) {
        answer.message.set_payload(answer.values.data<float>(),
                                   answer.values.element_count() * sizeof(float));
      }
      peer->Send(answer.message);
    }
  }
}

class HostilePeerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string state_dir = ::testing::TempDir() + "/hostile-peer-XXXXXX";
    ASSERT_NE(mkdtemp(&state_dir[0]), nullptr);
    ParameterServer::Options options;
    options.listen = "127.0.0.1:0";
    options.state_dir = state_dir;
    auto server = ParameterServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    jobs_ = v1::JobService::NewStub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  grpc::Status Submit(const v1::JobSpec& spec, v1::Job* job, const std::string& initial = "") {
    grpc::ClientContext context;
    const auto writer = jobs_->SubmitJob(&context, job);
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    writer->Write(request);
    request.clear_spec();
    for (size_t at = 0; at < initial.size(); at += 1 << 20) {
      request.set_init_from_data(initial.substr(at, 1 << 20));
      if (!writer->Write(request)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
  v1::Job Get(const std::string& job_id) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_job_id(job_id);
    v1::Job job;
    const grpc::Status status = jobs_->GetJob(&context, request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }
  v1::Job AwaitEnd(const std::string& job_id) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    v1::WatchJobRequest request;
    request.set_job_id(job_id);
    const auto reader = jobs_->WatchJob(&context, request);
    v1::Job job;
    while (reader->Read(&job)) {
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }
  // Submits a job, lets an honest worker run it, returns the model's hash.
  std::string TrainHonestly(uint64_t steps) {
    const v1::JobSpec spec = Spec(steps);
    v1::Job job;
    const grpc::Status status = Submit(spec, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return TrainWithHonestWorker(spec, job.job_id());
  }
  std::string TrainWithHonestWorker(const v1::JobSpec& spec, const std::string& job_id) {
    Peer honest(server_->address());
    std::thread work([&] { WorkHonestly(spec, &honest); });
    const v1::Job job = AwaitEnd(job_id);
    honest.Cancel();
    work.join();
    EXPECT_EQ(job.state(), v1::SUCCEEDED) << job.state_reason();
    return job.model_sha256();
  }

  int ConnectSocket() {
    const std::string address = server_->address();
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    struct sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(descriptor, reinterpret_cast<struct sockaddr*>(&to), sizeof(to)), 0);
    return descriptor;
  }

  std::unique_ptr<ParameterServer> server_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
};

std::string RandomBytes(std::mt19937_64& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST_F(HostilePeerTest, PortTakesWhateverComesAndHalfOpenConnections) {
  std::mt19937_64 random(1);
  std::vector<int> left_open;
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (int i = 0; i < 60; ++i) {
    left_open.push_back(ConnectSocket());
    std::string bytes;
    if (i % 4 == 0) bytes = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    if (i % 4 == 1) bytes = RandomBytes(random, 1000);
    // A frame that says it has 16 MiB, then none of them.
    if (i % 4 == 2) bytes = preface + std::string("\xff\xff\xff\x00\x00\x00\x00\x00\x01", 9);
    if (i % 4 == 3) bytes = preface.substr(0, 10);
    (void)!send(left_open.back(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  TrainHonestly(5);
  for (const int descriptor : left_open) close(descriptor);
}

TEST_F(HostilePeerTest, RandomMessagesToEveryMethod) {
  std::mt19937_64 random(2);
  v1::Job job;
  ASSERT_TRUE(Submit(Spec(3), &job).ok());
  const std::string job_service = "/lockstep.v1.JobService/";
  for (const char* method : {"SubmitJob", "GetJob", "ListJobs", "CancelJob", "ResumeJob",
                             "ListWorkers", "PullModel", "WatchJob"}) {
    for (size_t size : {1, 2, 3, 7, 20, 100, 3000}) {
      // What is no message at all, and what is one of unknown fields.
      tests::CallRaw(server_->address(), job_service + method, RandomBytes(random, size));
      const std::string unknown = "\xfa\x3f" + std::string(1, static_cast<char>(size % 128));
      if (std::string(method) == "WatchJob") continue;
      tests::CallRaw(server_->address(), job_service + method,
                     unknown + std::string(size % 128, 'x'));
    }
  }
  for (int i = 0; i < 100; ++i) {
    const std::string bytes = RandomBytes(random, 1 + random() % 200);
    EXPECT_FALSE(tests::CallRaw(server_->address(), kConnect, bytes).status.ok());
  }
  EXPECT_EQ(Get(job.job_id()).state(), v1::QUEUED);
}

TEST_F(HostilePeerTest, MessageLargerThanTheServerTakes) {
  const auto answer =
      tests::CallRaw(server_->address(), "/lockstep.v1.JobService/GetJob",
                     std::string("\x0a\x80\x80\x80\x08", 5) + std::string(16 << 20, 'x'));
  EXPECT_EQ(answer.status.error_code(), grpc::RESOURCE_EXHAUSTED);
  TrainHonestly(3);
}

TEST_F(HostilePeerTest, WhatNoWorkerSendsEndsItsStreamWithTheFieldsName) {
  const v1::JobSpec spec = Spec(40);
  v1::Job job;
  ASSERT_TRUE(Submit(spec, &job).ok());
  const size_t chunk_bytes = TotalElements(spec) * sizeof(float);
  struct Attempt {
    const char* field;  // that the answer names
    std::function<void(const v1::Round&, v1::WorkerMessage*)> make;
  };
  const auto chunk_of = [](const v1::Round& round, v1::WorkerMessage* message, size_t bytes) {
    v1::GradientChunk& chunk = *message->mutable_gradient_chunk();
    chunk.set_job_id(round.job_id());
    chunk.set_step(round.step());
    chunk.set_round(round.round());
    chunk.set_first_shard(round.nodes(0).first_shard());
    chunk.set_end_shard(round.nodes(0).end_shard());
    message->set_payload(std::string(bytes, '\0'));
    return &chunk;
  };
  const auto result_of = [](const v1::Round& round, v1::WorkerMessage* message) {
    v1::NodeResult& result = *message->mutable_node_result();
    result.set_job_id(round.job_id());
    result.set_round(round.round());
    result.set_first_shard(round.nodes(0).first_shard());
    result.set_end_shard(round.nodes(0).end_shard());
    return &result;
  };
  const std::vector<Attempt> attempts = {
      {"gradient_chunk", [&](auto& r, auto* m) { chunk_of(r, m, chunk_bytes - 4); }},
      {"gradient_chunk", [&](auto& r, auto* m) { chunk_of(r, m, chunk_bytes + 4); }},
      {"gradient_chunk", [&](auto& r, auto* m) { chunk_of(r, m, chunk_bytes)->set_chunk(1); }},
      {"gradient_chunk", [&](auto& r, auto* m) { chunk_of(r, m, chunk_bytes)->set_chunk(~0u); }},
      {"gradient_chunk", [&](auto& r, auto* m) { chunk_of(r, m, chunk_bytes)->set_end_shard(1); }},
      {"gradient_chunk",
       [&](auto& r, auto* m) {
         chunk_of(r, m, chunk_bytes)->set_first_shard(1u << 31);
         m->mutable_gradient_chunk()->set_end_shard(~0u);
       }},
      {"payload", [&](auto& r, auto* m) { chunk_of(r, m, 0); }},
      {"payload", [&](auto& r, auto* m) { chunk_of(r, m, 7); }},
      {"payload", [&](auto& r, auto* m) { chunk_of(r, m, (4 << 20)); }},
      {"payload",
       [&](auto& r, auto* m) {
         result_of(r, m);
         m->set_payload("1234");
       }},
      {"node_result", [&](auto& r, auto* m) { result_of(r, m)->set_examples(20); }},
      {"node_result", [&](auto& r, auto* m) { result_of(r, m)->set_end_shard(3); }},
      {"job_ready",
       [&](auto& r, auto* m) {
         m->mutable_job_ready()->set_job_id(r.job_id());
         m->mutable_job_ready()->set_training_examples(~uint64_t{0});
       }},
      {"register", [&](auto&, auto* m) { *m = Register("again"); }},
      {"kind", [&](auto&, auto* m) { m->Clear(); }},
  };
  for (size_t i = 0; i < attempts.size(); ++i) {
    Peer villain(server_->address());
    const v1::Round round = villain.JoinAndAwaitRound(spec);
    ASSERT_GT(round.nodes_size(), 0);
    v1::WorkerMessage message;
    attempts[i].make(round, &message);
    villain.Send(message);
    const grpc::Status status = villain.End();
    EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT) << i << " " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(attempts[i].field)) << i;
  }
  // The job has waited all the while, and is none the worse for it.
  EXPECT_THAT(Get(job.job_id()).state_reason(), HasSubstr("waiting for workers"));
  const std::string hash = TrainWithHonestWorker(spec, job.job_id());
  EXPECT_EQ(hash, TrainHonestly(40));
}

TEST_F(HostilePeerTest, WhatComesTooLateOrForOthersIsDropped) {
  const v1::JobSpec spec = Spec(40);
  v1::Job job;
  ASSERT_TRUE(Submit(spec, &job).ok());
  {
    Peer villain(server_->address());
    const v1::Round round = villain.JoinAndAwaitRound(spec);
    for (const char* id : {"job-1", "job-2", "", "no job"}) {
      v1::WorkerMessage message;
      v1::GradientChunk& chunk = *message.mutable_gradient_chunk();
      chunk.set_job_id(id);
      chunk.set_step(round.step() + 7);
      message.set_payload(std::string(8, 'x'));
      EXPECT_TRUE(villain.Send(message));
      message.Clear();
      message.mutable_node_result()->set_job_id(id);
      message.mutable_node_result()->set_round(round.round() + 1);
      EXPECT_TRUE(villain.Send(message));
    }
    v1::WorkerMessage goodbye;
    goodbye.mutable_goodbye();
    villain.Send(goodbye);
  }
  EXPECT_EQ(TrainWithHonestWorker(spec, job.job_id()), TrainHonestly(40));
}

TEST_F(HostilePeerTest, GradientsThatAreNoNumbersFailTheirJobAlone) {
  const v1::JobSpec spec = Spec(1);
  v1::Job job;
  ASSERT_TRUE(Submit(spec, &job).ok());
  Peer villain(server_->address());
  const v1::Round round = villain.JoinAndAwaitRound(spec);
  const std::vector<float> poison(TotalElements(spec), std::nanf(""));
  for (const v1::ShardRange& node : round.nodes()) {
    v1::WorkerMessage message;
    v1::GradientChunk& chunk = *message.mutable_gradient_chunk();
    chunk.set_job_id(round.job_id());
    chunk.set_round(round.round());
    chunk.set_first_shard(node.first_shard());
    chunk.set_end_shard(node.end_shard());
    message.set_payload(poison.data(), poison.size() * sizeof(float));
    villain.Send(message);
    message.Clear();
    v1::NodeResult& result = *message.mutable_node_result();
    result.set_job_id(round.job_id());
    result.set_round(round.round());
    result.set_first_shard(node.first_shard());
    result.set_end_shard(node.end_shard());
    result.set_examples(20);
    villain.Send(message);
  }
  const v1::Job ended = AwaitEnd(job.job_id());
  EXPECT_EQ(ended.state(), v1::FAILED);
  EXPECT_THAT(ended.state_reason(), HasSubstr("NaN"));
  EXPECT_EQ(ended.model_sha256(), "");
  villain.Cancel();
  TrainHonestly(3);
}

TEST_F(HostilePeerTest, ErrorTextsStayOneLineOfUtf8AndGoWithTheWorker) {
  const v1::JobSpec spec = Spec(3);
  v1::Job job;
  ASSERT_TRUE(Submit(spec, &job).ok());
  {
    Peer villain(server_->address());
    villain.Send(Register("villain"));
    v1::ServerMessage message;
    while (villain.Read(&message) && !message.has_prepare_job()) {
    }
    std::string text = "line\nline\x1b[2J";
    for (int i = 0; i < 4000; ++i) text += "\xe2\x82\xac";  // 3 bytes each
    v1::WorkerMessage error;
    error.mutable_job_error()->set_job_id(job.job_id());
    error.mutable_job_error()->set_message(text);
    villain.Send(error);
    while (villain.Read(&message) && !message.has_release_job()) {
    }
    const std::string reason = Get(job.job_id()).state_reason();
    EXPECT_THAT(reason, HasSubstr("villain cannot take part: line line"));
    EXPECT_EQ(reason.find_first_of("\n\x1b"), std::string::npos);
    EXPECT_LT(reason.size(), 3000);
  }
  // The next one of that name is not held to it.
  Peer honest(server_->address());
  std::thread work([&] { WorkHonestly(spec, &honest); });
  EXPECT_EQ(AwaitEnd(job.job_id()).state(), v1::SUCCEEDED);
  honest.Cancel();
  work.join();
}

TEST_F(HostilePeerTest, FloodOfSmallMessagesAndOfSilentStreams) {
  std::vector<std::unique_ptr<Peer>> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(std::make_unique<Peer>(server_->address()));
  Peer flood(server_->address());
  flood.Send(Register("flood"));
  v1::WorkerMessage heartbeat;
  heartbeat.mutable_heartbeat();
  for (int i = 0; i < 50000; ++i) ASSERT_TRUE(flood.Send(heartbeat)) << i;
  flood.Cancel();
  TrainHonestly(3);
  // Who has not said who he is within a lease is shown the door.
  const grpc::Status end = silent.front()->End();
  EXPECT_EQ(end.error_code(), grpc::DEADLINE_EXCEEDED);
  EXPECT_THAT(end.error_message(), HasSubstr("register"));
}

TEST_F(HostilePeerTest, JobsThatCannotFitAreRefused) {
  v1::Job job;
  v1::JobSpec spec = Spec(1);
  spec.mutable_model(0)->mutable_linear()->set_out_features(1 << 24);
  *spec.add_model() = spec.model(0);
  EXPECT_EQ(Submit(spec, &job).error_code(), grpc::INVALID_ARGUMENT);  // 2^48 parameters
  spec.mutable_model(1)->mutable_linear()->set_out_features(1 << 20);
  grpc::Status status = Submit(spec, &job);
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("MiB"));
  spec = Spec(1);
  spec.mutable_data_summary()->set_example_shape(0, int64_t{1} << 31);
  spec.mutable_model(0)->mutable_linear()->set_out_features(1 << 20);
  EXPECT_FALSE(Submit(spec, &job).ok());
  spec = Spec(1);
  for (int i = 0; i < 20000; ++i) spec.add_model()->mutable_relu();
  EXPECT_THAT(Submit(spec, &job).error_message(), HasSubstr("layers"));
  spec = Spec(1);
  spec.mutable_data()->mutable_train()->mutable_csv()->set_label_column(std::string(3 << 20, '1'));
  EXPECT_EQ(Submit(spec, &job).error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Submit(Spec(1), &job, std::string(64 << 20, 'x')).error_code(), grpc::INVALID_ARGUMENT);
  TrainHonestly(3);
}

TEST_F(HostilePeerTest, RandomSpecsAreRefusedOrQueued) {
  std::mt19937_64 random(3);
  const std::string honest = Spec(10).SerializeAsString();
  int queued = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = honest;
    for (uint64_t change = 0; change < 1 + random() % 3; ++change) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 128);
    }
    v1::JobSpec spec;
    if (!spec.ParseFromString(bytes)) continue;
    v1::Job job;
    const grpc::Status status = Submit(spec, &job);
    queued += status.ok() ? 1 : 0;
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::INVALID_ARGUMENT ||
                status.error_code() == grpc::RESOURCE_EXHAUSTED)
        << status.error_code() << " " << status.error_message() << spec.ShortDebugString();
    if (!status.ok()) continue;
    EXPECT_EQ(Get(job.job_id()).state(), v1::QUEUED);
  }
  EXPECT_GT(queued, 10);
}

}  // namespace
}  // namespace lockstep::server
