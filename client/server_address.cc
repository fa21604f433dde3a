#include "client/server_address.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace lockstep::client {
namespace {

// sockaddr_un has room for 108 bytes, the last of them zero.
constexpr size_t kLongestSocketPath = 107;

absl::Status Invalid(absl::string_view address, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("server address: ", what, ", got '", address, "', want HOST:PORT or unix:PATH"));
}

}  // namespace

absl::StatusOr<std::string> GrpcTarget(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) {
    const absl::string_view path = absl::StripPrefix(address, "unix:");
    if (path.empty()) return Invalid(address, "the path is missing");
    if (path.size() > kLongestSocketPath) return Invalid(address, "the path is over 107 bytes");
    return std::string(address);
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return Invalid(address, "the port is missing");
  const absl::string_view host = address.substr(0, colon);
  uint32_t port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return Invalid(address, "the port is not a number from 1 to 65535");
  }
  if (host.empty()) return Invalid(address, "the host is missing");
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (!bracketed && absl::StrContains(host, ":")) {
    return Invalid(address, "an IPv6 address stands in brackets");
  }
  if (absl::StrContains(host, "/")) return Invalid(address, "the host holds a slash");
  return absl::StrCat("dns:///", host, ":", port);
}

}  // namespace lockstep::client
