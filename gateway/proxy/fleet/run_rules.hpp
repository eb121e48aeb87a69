// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// What the policy of a run says about sandboxes (`sandbox.yaml`), for aispm-run before it starts.
struct RunRules {
  // It must not start: its policy cannot be used, or has rules that this aispm-run does not know.
  std::optional<Refusal> objection;
  std::string fields;  // of the greeting: `,"policy":"...","sandbox":"..."`, the file in hex
};
RunRules find_run_rules(Client& client, const codec::http1::Head& head);

// Why the policy that decides about a run now does not let it reach a host; empty: it does.
struct HostObjection {
  std::string reason;
  bool is_denied = true;  // false: the policy cannot be used
};
std::optional<HostObjection> find_host_objection(Services& services, const Caller& caller,
                                                 const HostPort& host);

}  // namespace aispm::gateway
