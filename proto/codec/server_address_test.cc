#include "proto/codec/server_address.h"

#include <string>

#include "gtest/gtest.h"

namespace lockstep {
namespace {

TEST(ServerAddressTest, TakesWhatPeopleWrite) {
  for (const char* address : {"localhost:7070", "127.0.0.1:1", "[::1]:65535", "unix:/run/socket",
                              "unix:relative", "host.example.org:7070"}) {
    EXPECT_TRUE(CheckServerAddress("--server", address, 1).ok()) << address;
  }
  EXPECT_TRUE(CheckServerAddress("--listen", "[::1]:0", 0).ok());
}

TEST(ServerAddressTest, RefusesWhatGrpcWouldMisread) {
  for (const std::string& address :
       {std::string("127.0.0.1:"), std::string("127.0.0.1:99999"), std::string("127.0.0.1:-1"),
        std::string("127.0.0.1:abc"), std::string("127.0.0.1"), std::string(":0"), std::string(),
        std::string("::1:7070"), std::string("http://host:7070"), std::string("unix:"),
        "unix:/" + std::string(107, 'x')}) {
    const absl::Status status = CheckServerAddress("--listen", address, 0);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << address;
    EXPECT_EQ(status.message().substr(0, 10), "--listen: ");
  }
  EXPECT_FALSE(CheckServerAddress("--server", "host:0", 1).ok());
}

}  // namespace
}  // namespace lockstep
