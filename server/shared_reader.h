// Takes in what a worker on the server's machine sends through shared memory,
// on a thread of its own.
#ifndef LOCKSTEP_SERVER_SHARED_READER_H_
#define LOCKSTEP_SERVER_SHARED_READER_H_

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "proto/shared_memory/shared_messages.h"

namespace lockstep::server {

class SharedReader {
 public:
  // `handler` is called for each message, in order; its values are foreign, and
  // released when it returns. The first error, its own or the channel's, goes
  // to `on_error` and ends the reading.
  using Handler = std::function<absl::Status(const v1::WorkerMessage&, Tensor values)>;
  SharedReader(std::shared_ptr<ServerSharedMessages> shared, Handler handler,
               std::function<void(const absl::Status&)> on_error);
  // Takes in what is there already, then stops.
  ~SharedReader();

 private:
  void Run();
  // False: an error has ended it.
  bool TakeAll();

  const std::shared_ptr<ServerSharedMessages> shared_;
  const Handler handler_;
  const std::function<void(const absl::Status&)> on_error_;
  std::thread thread_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_SHARED_READER_H_
