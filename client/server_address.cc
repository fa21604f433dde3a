#include "client/server_address.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/codec/server_address.h"

namespace lockstep::client {

absl::StatusOr<std::string> GrpcTarget(absl::string_view address) {
  const absl::Status status = CheckServerAddress("server address", address, /*least_port=*/1);
  if (!status.ok()) return status;
  if (absl::StartsWith(address, "unix:")) return std::string(address);
  return absl::StrCat("dns:///", address);
}

}  // namespace lockstep::client
