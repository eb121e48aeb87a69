// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <ctime>
#include <set>
#include <string>
#include <vector>

#include "sensor/model/records.hpp"

namespace aispm::sensor {

// The name servers that this host is configured to ask. What they say to a socket of this network
// namespace may open what a rule allows by its name; anybody can answer himself elsewhere: an
// ordinary user is root in a namespace of his own, with any address and port 53.
class HostResolvers {
 public:
  // Each file is read anew when it changed; without a name server in any, it is 127.0.0.1 and ::1.
  // systemd-resolved names itself in the first and whom it asks in the second.
  explicit HostResolvers(std::vector<std::string> files = {"/etc/resolv.conf",
                                                           "/run/systemd/resolve/resolv.conf"});

  // Whether a DNS answer is one of theirs. False for names that are not from DNS.
  bool gave(const SeenName& name);

 private:
  struct File {
    std::string path;
    std::timespec modified{};
    std::uint64_t inode = 0;
    std::set<std::string> servers;  // as Address::host_text()
  };
  static void look_at(File& file);

  std::vector<File> files_;
  std::uint64_t net_namespace_ = 0;  // inode; 0 = unknown
};

}  // namespace aispm::sensor
