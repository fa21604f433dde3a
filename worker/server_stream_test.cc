#include "worker/server_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "absl/synchronization/notification.h"
#include "lockstep/v1/worker_service.grpc.pb.h"

namespace lockstep::worker {
namespace {

// A server that takes no message before it is told to.
class SlowService
    : public v1::WorkerService::WithRawCallbackMethod_Connect<v1::WorkerService::Service> {
 public:
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Connect(
      grpc::CallbackServerContext*) override {
    return new Stream(this);
  }
  void StartReading() { start_.Notify(); }
  size_t received_bytes() const { return received_bytes_; }

 private:
  class Stream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Stream(SlowService* service)
        : service_(service), reader_([this] {
            service_->start_.WaitForNotification();
            StartRead(&frame_);
          }) {}
    void OnReadDone(bool ok) override {
      if (!ok) {
        Finish(grpc::Status::OK);
        return;
      }
      service_->received_bytes_ += frame_.Length();
      StartRead(&frame_);
    }
    void OnDone() override {
      reader_.join();
      delete this;
    }

   private:
    SlowService* const service_;
    grpc::ByteBuffer frame_;
    std::thread reader_;
  };

  absl::Notification start_;
  std::atomic<size_t> received_bytes_{0};
};

// Without the limit all of it would be queued, as fast as memory allows.
TEST(ServerStreamTest, ASlowServerBoundsWhatIsQueued) {
  SlowService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  const auto channel =
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  constexpr size_t kMessageBytes = 1 << 20;
  constexpr size_t kMessages = 300;
  const Tensor values = Tensor::Zeros(Shape{kMessageBytes / sizeof(float)});
  size_t most_queued = 0;
  {
    ServerStream stream(
        channel, [](v1::ServerMessage, const FramePayload&) { return absl::OkStatus(); },
        [](std::shared_ptr<WorkerSharedMessages>) {}, [] {});
    std::thread sender([&] {
      v1::WorkerMessage message;
      message.mutable_gradient_chunk();
      for (size_t i = 0; i < kMessages; ++i) {
        stream.Send(message, values);
        most_queued = std::max(most_queued, stream.queued_bytes());
      }
    });
    while (stream.queued_bytes() <= ServerStream::kMostQueuedBytes) std::this_thread::yield();
    service.StartReading();
    sender.join();
    stream.CloseAfterSending();
    EXPECT_TRUE(stream.AwaitEnd().ok());
  }
  EXPECT_GT(service.received_bytes(), kMessages * kMessageBytes) << "all of it has arrived";
  EXPECT_LE(most_queued, ServerStream::kMostQueuedBytes + kMessageBytes + 100);
  server->Shutdown();
}

}  // namespace
}  // namespace lockstep::worker
