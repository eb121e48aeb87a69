// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/model/denial.hpp"

// What the kernel's audit records say about one sandbox. Pure; any bytes are safe.
// Source: Linux security/landlock/audit.c and kernel/auditsc.c; Documentation/admin-guide/LSM/
// landlock.rst.
namespace aispm::sandbox {

inline constexpr std::uint16_t kAuditSeccomp = 1326;
inline constexpr std::uint16_t kAuditLandlockAccess = 1423;
inline constexpr std::uint16_t kAuditLandlockDomain = 1424;

// The value of `name=` in a record, unquoted or unhexed where the kernel quotes or hexes it. Empty
// when absent.
std::string audit_field(std::string_view record, std::string_view name);

// Attributes Landlock's refusals to one sandbox. As root each live sandbox has a host user of its
// own, and the record of a domain names the user that made it. That record comes right behind the
// domain's first refusal, so refusals of unknown domains wait for it.
class AuditRecords {
 public:
  static constexpr std::size_t kMaxWaiting = 256;
  static constexpr std::size_t kMaxDomains = 256;

  explicit AuditRecords(std::uint32_t host_uid) : host_uid_(host_uid) {}
  // What this record tells of the sandbox, usually nothing.
  std::vector<Denial> read(std::uint16_t type, std::string_view record);

 private:
  struct Waiting {
    std::string domain;
    Denial denial;
  };
  std::vector<Denial> read_access(std::string_view record);
  std::vector<Denial> read_domain(std::string_view record);
  std::vector<Denial> read_seccomp(std::string_view record) const;
  bool is_ours(const std::string& domain) const;

  std::uint32_t host_uid_;
  std::vector<std::string> domains_;  // ours
  std::deque<Waiting> waiting_;
};

}  // namespace aispm::sandbox
