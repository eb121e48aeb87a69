// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce/host_resolvers.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_folder.hpp"

namespace aispm::sensor {
namespace {

std::uint32_t own_network() {
  struct stat facts {};
  return ::stat("/proc/self/ns/net", &facts) == 0 ? static_cast<std::uint32_t>(facts.st_ino) : 0;
}

SeenName answer_of(const Address& server) {
  SeenName name;
  name.source = NameSource::kDns;
  name.name = "gateway.example";
  name.net_namespace = own_network();
  name.socket.emplace().destination = server;
  return name;
}

const Address kFirst{{192, 0, 2, 53}, false, 53};
const Address kOther{{192, 0, 2, 54}, false, 53};
const Address kLoopback{{127, 0, 0, 1}, false, 53};

struct HostResolversTest : ::testing::Test {
  void write(const std::string& content) {
    std::ofstream(path() + ".new") << content;  // another inode: a change in the same tick shows
    std::rename((path() + ".new").c_str(), path().c_str());
  }
  std::string path() const { return folder / "resolv.conf"; }
  aispm::testing::TempFolder folder;
  HostResolvers resolvers{{path()}};
};

TEST_F(HostResolversTest, AreThoseOfTheFileAsItIsNow) {
  write("# comment\nsearch example\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n");
  EXPECT_TRUE(resolvers.gave(answer_of(kFirst)));
  EXPECT_FALSE(resolvers.gave(answer_of(kOther)));
  EXPECT_FALSE(resolvers.gave(answer_of(kLoopback)));
  EXPECT_TRUE(resolvers.gave(
      answer_of({{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, true, 53})));
  write("nameserver 192.0.2.54\n");
  EXPECT_FALSE(resolvers.gave(answer_of(kFirst)));
  EXPECT_TRUE(resolvers.gave(answer_of(kOther)));
}

TEST_F(HostResolversTest, WithoutAnyItIsThisHost) {
  EXPECT_TRUE(resolvers.gave(answer_of(kLoopback)));
  EXPECT_FALSE(resolvers.gave(answer_of(kFirst)));
  write("nameserver no-address\n");
  EXPECT_TRUE(resolvers.gave(answer_of(kLoopback)));
}

TEST_F(HostResolversTest, AreNotBelievedInAnotherNetworkNamespace) {
  write("nameserver 192.0.2.53\n");
  SeenName answer = answer_of(kFirst);
  answer.net_namespace += 1;
  EXPECT_FALSE(resolvers.gave(answer));
  answer.net_namespace = 0;
  EXPECT_FALSE(resolvers.gave(answer));
}

TEST_F(HostResolversTest, OnlyAnswersCountNotWhatClientsAskFor) {
  write("nameserver 192.0.2.53\n");
  SeenName claimed = answer_of(kFirst);
  claimed.source = NameSource::kSni;
  EXPECT_FALSE(resolvers.gave(claimed));
}

}  // namespace
}  // namespace aispm::sensor
