// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/host_rule.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/policy/glob.hpp"

// `sandbox.yaml` of a policy bundle: what sandboxes may do, whatever their profile says.
//
//   rules:
//     - id: small
//       agent: '*/codex'                # glob; left out: every agent
//       profiles: [default, coding-agent]    # built-in ones, and no others
//       isolation: gvisor               # at least
//       allow_hosts: [pypi.org]         # besides the gateway, at most these; []: none
//       workspaces: [/srv/work]         # a workspace lies in one of these; [] : there is none
//       read_write: [/srv/work]         # what is shared lies in one of these
//       read_only: [/usr/share]         # or, to be read, in one of these
//       dangerous: false                # no permission of `dangerous:` of a profile
//       limits: {memory: 1GiB, wall_time: 1h}    # at most
//       reason: For people
//
// All rules that fit an agent count. A key that is left out says nothing.
namespace aispm::policy {

struct SandboxRule {
  std::string id;
  std::string reason;
  Glob agent;
  std::optional<std::vector<std::string>> profiles;
  bool needs_gvisor = false;
  std::optional<std::vector<HostRule>> allow_hosts;
  std::optional<std::vector<std::string>> workspaces;
  std::optional<std::vector<std::string>> read_write;
  std::optional<std::vector<std::string>> read_only;
  bool allows_dangerous = true;
  // By the names of a profile's limits; in bytes, in thousandths of a processor, in milliseconds,
  // else numbers. Never 0.
  std::map<std::string, std::uint64_t> limits;
};

// Immutable; any thread.
class SandboxRules {
 public:
  // So that it fits the gateway's greeting to aispm-run.
  static constexpr std::size_t kMaxFileBytes = 12U << 10;
  static constexpr std::size_t kMaxRules = 64;
  static constexpr std::size_t kMaxEntries = 256;  // of each list

  // Errors read `name:line: what is wrong, what is allowed`.
  static Result<SandboxRules> parse(const std::string& content, const std::string& name);

  // In the file's order. Valid as long as this.
  std::vector<const SandboxRule*> of(std::string_view agent) const;
  // The first rule by which the agent may not reach the host; null: it may.
  const SandboxRule* refusing(std::string_view agent, const HostPort& host) const;

  std::size_t size() const { return rules_.size(); }
  const std::string& text() const { return text_; }

 private:
  std::vector<SandboxRule> rules_;
  std::string text_;
};

// Bytes as lower-case hex digits, and back; nothing for anything else.
std::string as_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view digits);

}  // namespace aispm::policy
