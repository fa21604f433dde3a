// The version that `lockstep version` shows.
#ifndef LOCKSTEP_CLIENT_VERSION_H_
#define LOCKSTEP_CLIENT_VERSION_H_

namespace lockstep::client {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_VERSION_H_
