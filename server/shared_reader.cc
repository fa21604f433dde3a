#include "server/shared_reader.h"

#include <utility>

namespace lockstep::server {
namespace {

// How long a reader sleeps at most: while messages wait for room in the ring, it
// looks for that; otherwise it only guards against a lost wake-up.
constexpr absl::Duration kWaitWithQueue = absl::Milliseconds(1);
constexpr absl::Duration kWait = absl::Seconds(1);

}  // namespace

SharedReader::SharedReader(std::shared_ptr<ServerSharedMessages> shared, Handler handler,
                           std::function<void(const absl::Status&)> on_error)
    : shared_(std::move(shared)),
      handler_(std::move(handler)),
      on_error_(std::move(on_error)),
      thread_([this] { Run(); }) {}

SharedReader::~SharedReader() {
  shared_->Interrupt();
  if (thread_.get_id() == std::this_thread::get_id()) {
    // From within on_error, after which Run touches nothing of this object's.
    thread_.detach();
  } else {
    thread_.join();
  }
}

void SharedReader::Run() {
  while (TakeAll() && !shared_->interrupted()) {
    shared_->Wait(shared_->Flush() ? kWait : kWaitWithQueue);
  }
}

bool SharedReader::TakeAll() {
  while (true) {
    auto received = shared_->Next();
    absl::Status status = received.status();
    if (status.ok()) {
      if (!received->has_value()) return true;
      // Before the message is looked at: it may complete a chunk of new parameters, for
      // which the memory of those that the worker has let go of is free by now.
      shared_->ForgetReleased();
      // A job's first word: of the one before nothing is used any more.
      if ((*received)->message.has_job_ready()) shared_->ReleaseAll();
      status = handler_((*received)->message, std::move((*received)->values));
    }
    if (!status.ok()) {
      const auto on_error = on_error_;
      on_error(status);
      return false;
    }
    shared_->ReleaseRead();
  }
}

}  // namespace lockstep::server
