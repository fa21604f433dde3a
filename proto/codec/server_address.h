// The address of a server as people write it: HOST:PORT, [IPV6]:PORT or
// unix:PATH.
#ifndef LOCKSTEP_PROTO_CODEC_SERVER_ADDRESS_H_
#define LOCKSTEP_PROTO_CODEC_SERVER_ADDRESS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lockstep {

// gRPC itself takes "host:", which is port 443, and "host:99999", which is
// some other port. `what` begins the message, e.g. "--listen"; `least_port` is
// 0 where the system may choose one, else 1.
// Errors: InvalidArgument, naming what is wrong with the address.
absl::Status CheckServerAddress(absl::string_view what, absl::string_view address,
                                uint32_t least_port);

}  // namespace lockstep

#endif  // LOCKSTEP_PROTO_CODEC_SERVER_ADDRESS_H_
