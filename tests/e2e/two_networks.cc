#include "tests/e2e/two_networks.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lockstep::tests {
namespace {

bool Run(const std::string& command) {
  // Where the tools are, which is not on every user's path.
  const std::string path = "PATH=$PATH:/usr/sbin:/sbin; ";
  return std::system(absl::StrCat(path, command, " >/dev/null 2>&1").c_str()) == 0;
}

bool WriteFile(const char* path, const std::string& text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  return written;
}

// A network of its own for this process; by a user namespace where it is not root.
std::string LeaveNetwork() {
  const uid_t user = getuid();
  const gid_t group = getgid();
  const int user_namespace = user == 0 ? 0 : CLONE_NEWUSER;
  if (unshare(CLONE_NEWNET | user_namespace) != 0) {
    return absl::StrCat("unshare: ", std::strerror(errno));
  }
  if (user_namespace == 0) return "";
  const bool mapped = WriteFile("/proc/self/setgroups", "deny") &&
                      WriteFile("/proc/self/uid_map", absl::StrCat("0 ", user, " 1")) &&
                      WriteFile("/proc/self/gid_map", absl::StrCat("0 ", group, " 1"));
  return mapped ? "" : "cannot become root of a user namespace";
}

// A child that does nothing in a network of its own; -1: it cannot be.
pid_t KeepAnotherNetwork() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char answer = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    while (true) pause();
  }
  close(ready[1]);
  char answer = 'n';
  if (child > 0 && read(ready[0], &answer, 1) != 1) answer = 'n';
  close(ready[0]);
  return answer == 'y' ? child : -1;
}

}  // namespace

TwoNetworks::TwoNetworks() {
  if (!Run("command -v ip") || !Run("command -v nsenter")) {
    reason_ = "needs ip and nsenter (iproute2, util-linux)";
    return;
  }
  reason_ = LeaveNetwork();
  if (!reason_.empty()) return;
  far_ = KeepAnotherNetwork();
  const std::string far = absl::StrCat("nsenter --net --target ", far_, " ip ");
  const bool joined = far_ > 0 && Run("ip link set lo up") &&
                      Run(absl::StrCat("ip link add near type veth peer name far netns ", far_)) &&
                      Run(absl::StrCat("ip address add ", kNear, "/24 dev near")) &&
                      Run("ip link set near up") &&
                      Run(absl::StrCat(far, "address add ", kFar, "/24 dev far")) &&
                      Run(far + "link set far up") && Run(far + "link set lo up");
  if (!joined) reason_ = "cannot make a pair of veth devices";
}

TwoNetworks::~TwoNetworks() {
  if (far_ <= 0) return;
  kill(far_, SIGKILL);
  waitpid(far_, nullptr, 0);
}

std::vector<std::string> TwoNetworks::RunFar() const {
  return {"nsenter", "--net", "--target", std::to_string(far_), "--"};
}

bool TwoNetworks::Cut() { return Run("ip link set near down"); }

bool TwoNetworks::Mend() { return Run("ip link set near up"); }

bool TwoNetworks::Limit(int megabits_per_second) {
  const std::string queue =
      absl::StrCat(" root tbf rate ", megabits_per_second, "mbit burst 64kb latency 50ms");
  return Run("tc qdisc replace dev near" + queue) &&
         Run(absl::StrCat("nsenter --net --target ", far_, " tc qdisc replace dev far", queue));
}

void TwoNetworks::Unlimit() {
  Run("tc qdisc del dev near root");
  Run(absl::StrCat("nsenter --net --target ", far_, " tc qdisc del dev far root"));
}

}  // namespace lockstep::tests
