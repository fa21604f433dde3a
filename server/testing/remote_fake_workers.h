// Many FakeWorkers in one process, each on a connection of its own to a server
// that runs elsewhere: a large cluster for the server, a light one for the machine.
// They know no shared memory.
#ifndef LOCKSTEP_SERVER_TESTING_REMOTE_FAKE_WORKERS_H_
#define LOCKSTEP_SERVER_TESTING_REMOTE_FAKE_WORKERS_H_

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

namespace lockstep::server {

class RemoteFakeWorker;

// Threads: the caller's one; what the workers do happens on gRPC's threads.
class RemoteFakeWorkers {
 public:
  // Connects `count` workers, named fake-1, fake-2, ..., which then do as they are
  // asked and send a heartbeat every second.
  RemoteFakeWorkers(const std::string& address, int count);
  // Breaks the connections and waits for their ends.
  ~RemoteFakeWorkers();

  // Waits until the server has welcomed all, or a connection has ended.
  void AwaitWelcome();
  // Waits until all connections have ended.
  void AwaitEnd();

  // How many have been welcomed and are still connected.
  int connected() const;
  // How many have answered at least one node.
  int that_worked() const;
  // Why the first connection that ended did so; empty: none has.
  std::string trouble() const;

 private:
  void Beat();

  std::vector<std::unique_ptr<RemoteFakeWorker>> workers_;
  absl::Notification stopped_;
  std::thread heart_;
};

}  // namespace lockstep::server

#endif  // LOCKSTEP_SERVER_TESTING_REMOTE_FAKE_WORKERS_H_
