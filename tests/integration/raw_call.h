// One gRPC call of raw bytes, for services whose generated code we do not have
// (health checking, reflection) and for messages that nobody should send.
#ifndef LOCKSTEP_TESTS_INTEGRATION_RAW_CALL_H_
#define LOCKSTEP_TESTS_INTEGRATION_RAW_CALL_H_

#include <grpcpp/grpcpp.h>

#include <string>

namespace lockstep::tests {

struct RawAnswer {
  grpc::Status status;
  std::string bytes;  // of the first message that came back
};

// Calls `method` ("/grpc.health.v1.Health/Check") with one message. Waits at
// most two minutes.
RawAnswer CallRaw(const std::string& address, const std::string& method,
                  const std::string& request);

}  // namespace lockstep::tests

#endif  // LOCKSTEP_TESTS_INTEGRATION_RAW_CALL_H_
