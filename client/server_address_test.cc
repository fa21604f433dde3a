#include "client/server_address.h"

#include <gtest/gtest.h>

#include <string>

namespace lockstep::client {
namespace {

TEST(ServerAddressTest, TakesHostsAndSockets) {
  EXPECT_EQ(*GrpcTarget("big:7070"), "dns:///big:7070");
  EXPECT_EQ(*GrpcTarget("10.0.0.1:1"), "dns:///10.0.0.1:1");
  EXPECT_EQ(*GrpcTarget("[::1]:65535"), "dns:///[::1]:65535");
  EXPECT_EQ(*GrpcTarget("unix:/run/lockstep"), "unix:/run/lockstep");
  EXPECT_EQ(*GrpcTarget("unix:" + std::string(107, 'a')), "unix:" + std::string(107, 'a'));
}

TEST(ServerAddressTest, NamesWhatIsWrong) {
  const std::string too_long = "unix:" + std::string(108, 'a');
  for (const std::string& address :
       {std::string(""), std::string("big"), std::string("big:"), std::string("big:0"),
        std::string("big:65536"), std::string("big:x"), std::string("big:-1"), std::string(":7070"),
        std::string("::1:7070"), std::string("http://big:7070"), std::string("unix:"), too_long}) {
    const auto target = GrpcTarget(address);
    EXPECT_TRUE(absl::IsInvalidArgument(target.status())) << address;
    EXPECT_NE(target.status().message().find("got '" + address + "'"), std::string::npos)
        << target.status();
  }
}

}  // namespace
}  // namespace lockstep::client
