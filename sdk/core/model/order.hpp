// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/model/event.hpp"

// What operators and local configuration tell a sensor to enforce; proto/aispm/v1/enforce.proto has
// the same fields and documents each of them.
namespace aispm::model {

enum class OrderAction : std::uint8_t { kUnspecified, kBlock, kAllow, kQuarantine, kKill };

// "block", "allow", "quarantine", "kill"
constexpr std::string_view name_of(OrderAction action) {
  switch (action) {
    case OrderAction::kUnspecified:
      return "unspecified";
    case OrderAction::kBlock:
      return "block";
    case OrderAction::kAllow:
      return "allow";
    case OrderAction::kQuarantine:
      return "quarantine";
    case OrderAction::kKill:
      return "kill";
  }
  return "";
}

// Whom and what an order is about. The fields about processes must all fit; those about
// destinations (addresses, domain, provider) are alternatives, and ports narrow them. Empty fields
// say nothing.
struct OrderMatch {
  std::string host_id;
  ProcessId process;         // pid 0 = any; start 0 = whoever has the pid when the order arrives
  std::string exe;           // path or glob
  std::string agent_id;      // name or glob
  std::string user;          // name or uid
  std::string cgroup;        // path below the cgroup2 root
  std::string container_id;  // or its first 12 digits
  std::vector<std::string> addresses;  // "192.0.2.0/24", "2001:db8::1"
  std::vector<std::uint16_t> ports;
  std::string domain;  // the name and everything below it
  std::string provider;
  std::string model;  // glob; decided when a prompt is seen in plaintext

  bool names_process() const {
    return process.pid != 0 || !exe.empty() || !agent_id.empty() || !user.empty() ||
           !cgroup.empty() || !container_id.empty();
  }
  bool names_destination() const {
    return !addresses.empty() || !ports.empty() || !domain.empty() || !provider.empty();
  }
};

struct Order {
  std::string id;
  OrderAction action = OrderAction::kUnspecified;
  bool enforces = false;  // otherwise it only reports
  OrderMatch match;
  // What a block forbids besides (or instead of) connections.
  bool raw_sockets = false;
  bool kernel_writes = false;              // writing below /proc and /sys
  bool tamper = false;                     // signals to the sensor, ptrace of it, bpf(2)
  std::vector<std::string> programs;       // names of files that must not be started
  std::vector<std::string> write_folders;  // nothing may be written elsewhere
  std::vector<std::string> approved;       // only these files, or files of these folders, may start
  std::vector<std::string> egress;         // only these addresses ("host", "cidr", "host:port")
  std::string detection;                   // category, e.g. "secret": cut when a prompt holds one
  bool kills = false;                      // end the process as well
  bool refuses = false;                    // connect answers ECONNREFUSED instead of EPERM
  std::string reason;
  std::string created_by;
  WallTime created;
  WallTime expires;  // 0 = never
};

}  // namespace aispm::model
