// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace aispm::report {

// What a daemon says about its host. A fact that cannot be read is empty.
struct HostFacts {
  std::string hostname;
  std::string
      machine_id;  // SHA-256 over a label and /etc/machine-id: stable, and does not reveal it
  std::string os;  // PRETTY_NAME of /etc/os-release
  std::string kernel;
  std::string architecture;
  std::string boot_id;
};

HostFacts read_host_facts();

// The value of `key` in an os-release file (quotes removed), or empty.
std::string os_release_value(const std::string& content, const std::string& key);

}  // namespace aispm::report
