#include "proto/codec/server_address.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace lockstep {
namespace {

// sockaddr_un has room for 108 bytes, the last of them zero.
constexpr size_t kLongestSocketPath = 107;
constexpr uint32_t kGreatestPort = 65535;

// What is wrong with the address; empty: nothing.
std::string Problem(absl::string_view address, uint32_t least_port) {
  if (absl::StartsWith(address, "unix:")) {
    const absl::string_view path = absl::StripPrefix(address, "unix:");
    if (path.empty()) return "the path is missing";
    return path.size() > kLongestSocketPath ? "the path is over 107 bytes" : "";
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return "the port is missing";
  const absl::string_view host = address.substr(0, colon);
  uint32_t port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < least_port ||
      port > kGreatestPort) {
    return absl::StrCat("the port is not a number from ", least_port, " to ", kGreatestPort);
  }
  if (host.empty()) return "the host is missing";
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (!bracketed && absl::StrContains(host, ":")) return "an IPv6 address stands in brackets";
  return absl::StrContains(host, "/") ? "the host holds a slash" : "";
}

}  // namespace

absl::Status CheckServerAddress(absl::string_view what, absl::string_view address,
                                uint32_t least_port) {
  const std::string problem = Problem(address, least_port);
  if (problem.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", problem, ", got '",
                                                 absl::Utf8SafeCHexEscape(address),
                                                 "', want HOST:PORT or unix:PATH"));
}

}  // namespace lockstep
