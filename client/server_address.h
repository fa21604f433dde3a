// The address of a server as people write it.
#ifndef LOCKSTEP_CLIENT_SERVER_ADDRESS_H_
#define LOCKSTEP_CLIENT_SERVER_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockstep::client {

// What gRPC dials for `address`: HOST:PORT, [IPV6]:PORT or unix:PATH.
// Errors: InvalidArgument, naming what is wrong with it.
absl::StatusOr<std::string> GrpcTarget(absl::string_view address);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_SERVER_ADDRESS_H_
