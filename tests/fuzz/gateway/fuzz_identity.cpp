// SPDX-License-Identifier: Apache-2.0
// Tokens by which agents hand tasks on, and agents.yaml.
#include <cstdint>
#include <cstdlib>

#include "gateway/proxy/decide/identity.hpp"

namespace {

using aispm::policy::AgentRegistry;

// The key that signed the seeds; its other half is forgotten.
constexpr char kAgents[] = R"(agents:
  - agent: 'team/*'
    roles: [writer]
    key: "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEALuzGlq2SIDtV+t59wPvSDmpxMCeNfFv171gMQTktyEs=\n-----END PUBLIC KEY-----\n"
)";

}  // namespace

// The first byte says what follows: "d" a header, else agents.yaml.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] != 'd') {
    (void)AgentRegistry::parse(text, "agents.yaml");
    return 0;
  }
  static const auto registry = AgentRegistry::parse(kAgents, "agents.yaml");
  if (!registry) std::abort();
  const aispm::gateway::Identity identity = aispm::gateway::identify(
      *registry, {.agent_id = "team/c", .delegation = text, .now = {1'800'000'000'000'000'000}});
  // Who is refused has no rights by the token; who is not has no more than everybody in it.
  if (identity.objection && identity.delegation_depth > 0 && !identity.facts.roles.empty() &&
      identity.objection->rule_id == "agent.delegation")
    std::abort();
  return 0;
}
