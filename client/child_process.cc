#include "client/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/atomic_file.h"

namespace lockstep::client {
namespace {

constexpr size_t kLastLinesBytes = 4096;
constexpr absl::Duration kPollInterval = absl::Milliseconds(10);

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

bool MakePipe(Descriptor* read_end, Descriptor* write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end->reset(ends[0]);
  write_end->reset(ends[1]);
  return true;
}

// What the child does between fork and exec: async-signal-safe calls only.
// Reports errno through `error_fd`, which closes by itself if exec succeeds.
[[noreturn]] void Become(char* const* arguments, pid_t parent, int input_fd, int output_fd,
                         int log_fd, int error_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (getppid() != parent) _exit(127);
  setpgid(0, 0);
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    signal(signal_number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(input_fd, 0) >= 0 && dup2(output_fd, 1) >= 0 && dup2(log_fd, 2) >= 0) {
    execv(arguments[0], arguments);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(error_fd, &error, sizeof(error));
  _exit(127);
}

// errno of the child's exec; 0: it succeeded. Waits for whichever comes.
int ReadExecError(int fd) {
  int error = 0;
  ssize_t got;
  do {
    got = read(fd, &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  return got == sizeof(error) ? error : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const ChildProcessOptions& options) {
  const std::string& program = options.command.front();
  Descriptor log(open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (log.get() < 0) return FileError(errno, "opening", options.log_path);
  Descriptor input(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Descriptor output_read, output_write, error_read, error_write;
  if (input.get() < 0 || !MakePipe(&error_read, &error_write) ||
      (options.read_output && !MakePipe(&output_read, &output_write))) {
    return FileError(errno, "starting", program);
  }
  std::vector<char*> arguments;
  for (const std::string& argument : options.command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return FileError(errno, "starting", program);
  if (pid == 0) {
    Become(arguments.data(), parent, input.get(),
           options.read_output ? output_write.get() : log.get(), log.get(), error_write.get());
  }
  error_write.reset();
  if (const int error = ReadExecError(error_read.get()); error != 0) {
    waitpid(pid, nullptr, 0);
    return FileError(error, "starting", program);
  }
  if (options.read_output) fcntl(output_read.get(), F_SETFL, O_NONBLOCK);
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid, output_read.release()));
}

ChildProcess::~ChildProcess() {
  Kill();
  if (output_fd_ >= 0) close(output_fd_);
}

bool ChildProcess::HasEnded() {
  if (wait_status_.has_value()) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
  wait_status_ = status;
  return true;
}

std::string ChildProcess::EndText() const {
  if (WIFSIGNALED(*wait_status_)) {
    const int number = WTERMSIG(*wait_status_);
    return absl::StrCat("was killed by signal ", number, " (", strsignal(number), ")");
  }
  return absl::StrCat("exited with code ", WEXITSTATUS(*wait_status_));
}

std::optional<int> ChildProcess::exit_code() const {
  if (!WIFEXITED(*wait_status_)) return std::nullopt;
  return WEXITSTATUS(*wait_status_);
}

std::optional<std::string> ChildProcess::ReadLine(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    struct pollfd source = {output_fd_, POLLIN, 0};
    if (poll(&source, 1, static_cast<int>(std::max<int64_t>(0, left))) <= 0 && left <= 0) {
      return std::nullopt;
    }
    char bytes[512];
    const ssize_t got = read(output_fd_, bytes, sizeof(bytes));
    if (got > 0) unread_.append(bytes, got);
    if (got == 0 || unread_.size() > kLastLinesBytes) return std::nullopt;
  }
}

void ChildProcess::DrainOutput() {
  if (output_fd_ < 0) return;
  char bytes[4096];
  while (read(output_fd_, bytes, sizeof(bytes)) > 0) {
  }
}

void ChildProcess::Terminate() {
  if (!HasEnded()) kill(pid_, SIGTERM);
}

bool ChildProcess::WaitForEnd(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (!HasEnded()) {
    if (absl::Now() >= deadline) return false;
    DrainOutput();
    absl::SleepFor(kPollInterval);
  }
  return true;
}

void ChildProcess::Kill() {
  if (HasEnded()) return;
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  wait_status_ = status;
}

std::string LastLines(const std::string& path, int lines) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const int64_t size = file.tellg();
  const int64_t begin = std::max<int64_t>(0, size - static_cast<int64_t>(kLastLinesBytes));
  file.seekg(begin);
  std::string text(size - begin, '\0');
  file.read(text.data(), text.size());
  text.resize(file.gcount());
  size_t at = text.size();
  for (int i = 0; i <= lines && at != std::string::npos && at > 0; ++i) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

}  // namespace lockstep::client
