// What this machine can do of a step's moving and summing, with plain sockets and
// nothing else: a yardstick for the cluster's rows over TCP.
//
//   socket_exchange [--parameters N] [--steps N]
//
// Two child processes each send a gradient over TCP loopback in chunks of 256 KiB,
// which are read into place and added once both are there; each sum goes back to
// both, and the next step begins where they have all. A thread for each connection
// here, two in each child. Prints {"step_ms": ..., "least_ms": ...}, a line of JSON,
// of the steps after the first. No frames, no checks, no optimizer.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr int64_t kChunk = 65536;  // elements

int64_t ChunkBytes(int64_t parameters, int64_t chunk) {
  return 4 * std::min(kChunk, parameters - chunk * kChunk);
}

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void SendAll(int socket, const float* values, int64_t bytes) {
  const auto* at = reinterpret_cast<const char*>(values);
  while (bytes > 0) {
    const ssize_t sent = send(socket, at, bytes, MSG_NOSIGNAL);
    if (sent <= 0) Fail("send");
    at += sent;
    bytes -= sent;
  }
}

// False where the other side has closed.
bool ReceiveAll(int socket, float* values, int64_t bytes) {
  auto* at = reinterpret_cast<char*>(values);
  while (bytes > 0) {
    const ssize_t received = recv(socket, at, bytes, 0);
    if (received < 0) Fail("recv");
    if (received == 0) return false;
    at += received;
    bytes -= received;
  }
  return true;
}

int ConnectTo(const sockaddr_in& address) {
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("connect");
  }
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return descriptor;
}

// A child: sends while it receives.
void RunWorker(int descriptor, int64_t parameters, int steps) {
  const std::vector<float> gradient(parameters, 1.0f);
  std::vector<float> received(parameters);
  for (int step = 0; step < steps; ++step) {
    std::thread receiver([&] { (void)ReceiveAll(descriptor, received.data(), 4 * parameters); });
    for (int64_t at = 0; at < parameters; at += kChunk) {
      SendAll(descriptor, gradient.data() + at, ChunkBytes(parameters, at / kChunk));
    }
    receiver.join();
  }
}

class Summing {
 public:
  using Clock = std::chrono::steady_clock;

  Summing(std::array<int, 2> sockets, int64_t parameters)
      : sockets_(sockets),
        parameters_(parameters),
        arrived_((parameters + kChunk - 1) / kChunk),
        sums_(parameters) {
    for (std::vector<float>& gradient : gradients_) gradient.resize(parameters);
  }

  // Serves one connection until its end. Returns when each of its steps began.
  std::vector<Clock::time_point> Serve(int which) {
    std::vector<Clock::time_point> begun;
    while (true) {
      for (int64_t chunk = 0; chunk < static_cast<int64_t>(arrived_.size()); ++chunk) {
        float* const values = gradients_[which].data() + chunk * kChunk;
        const int64_t bytes = ChunkBytes(parameters_, chunk);
        if (!ReceiveAll(sockets_[which], values, bytes)) return begun;
        if (chunk == 0) begun.push_back(Clock::now());
        // Whoever comes second sees what the first has read.
        if (arrived_[chunk].fetch_xor(1, std::memory_order_acq_rel) == 1)
          AddAndReturn(chunk, bytes);
      }
    }
  }

 private:
  void AddAndReturn(int64_t chunk, int64_t bytes) {
    const int64_t begin = chunk * kChunk;
    for (int64_t i = begin; i < begin + bytes / 4; ++i) {
      sums_[i] = gradients_[0][i] + gradients_[1][i];
    }
    for (int to = 0; to < 2; ++to) {
      const std::lock_guard<std::mutex> whole_chunks(sending_[to]);
      SendAll(sockets_[to], sums_.data() + begin, bytes);
    }
  }

  const std::array<int, 2> sockets_;
  const int64_t parameters_;
  std::vector<std::atomic<int>> arrived_;
  std::array<std::vector<float>, 2> gradients_;
  std::vector<float> sums_;
  std::array<std::mutex, 2> sending_;
};

void Print(const std::vector<Summing::Clock::time_point>& begun) {
  std::vector<double> times;
  for (size_t i = 2; i < begun.size(); ++i) {
    times.push_back(std::chrono::duration<double, std::milli>(begun[i] - begun[i - 1]).count());
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"step_ms\": %.3f, \"least_ms\": %.3f}\n", times[times.size() / 2], times[0]);
}

}  // namespace

int main(int argc, char** argv) {
  int64_t parameters = 100'000'000;
  int steps = 10;
  CLI::App app{"A step's moving and summing over TCP loopback, with plain sockets."};
  app.add_option("--parameters", parameters)->check(CLI::Range(1, 1'000'000'000));
  app.add_option("--steps", steps)->check(CLI::Range(3, 100'000));
  CLI11_PARSE(app, argc, argv);

  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, size) != 0 || listen(listener, 2) != 0) Fail("listen");
  getsockname(listener, generic, &size);
  std::array<int, 2> sockets = {};
  for (int& descriptor : sockets) {
    const pid_t child = fork();
    if (child < 0) Fail("fork");
    if (child == 0) {
      RunWorker(ConnectTo(address), parameters, steps);
      _exit(0);
    }
    descriptor = accept(listener, nullptr, nullptr);
    if (descriptor < 0) Fail("accept");
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  Summing summing(sockets, parameters);
  std::thread other([&summing] { summing.Serve(1); });
  const auto begun = summing.Serve(0);
  other.join();
  while (wait(nullptr) > 0) {
  }
  Print(begun);
}
