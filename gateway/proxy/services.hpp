// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "gateway/mcp/asked_calls.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/mcp/offer_book.hpp"
#include "gateway/mcp/told_tools.hpp"
#include "gateway/proxy/config.hpp"
#include "gateway/proxy/decide/approvals.hpp"
#include "gateway/proxy/decide/denial_streaks.hpp"
#include "gateway/proxy/decide/identity.hpp"
#include "gateway/proxy/decide/policy_shelf.hpp"
#include "gateway/proxy/decide/risk_facts.hpp"
#include "gateway/proxy/decide/tickets.hpp"
#include "gateway/proxy/egress/egress_table.hpp"
#include "gateway/proxy/fleet/run_table.hpp"
#include "gateway/proxy/key_store.hpp"
#include "gateway/proxy/limits/use_limits.hpp"
#include "gateway/proxy/placeholder_shelf.hpp"
#include "gateway/proxy/providers/provider_shelf.hpp"
#include "gateway/proxy/recorder.hpp"
#include "gateway/proxy/rule_book.hpp"
#include "gateway/proxy/sticky.hpp"
#include "gateway/proxy/voter.hpp"
#include "sdk/core/common/published.hpp"
#include "sdk/core/detect/semantic_judge.hpp"
#include "sdk/core/policy/freeze_book.hpp"
#include "sdk/core/policy/tool_sightings.hpp"
#include "sdk/core/policy/tool_usage.hpp"

namespace aispm::policy {
class PolicyBook;
}

namespace aispm::gateway {

struct Caller;
class Traffic;
class Observatory;

// What all threads share: each member is immutable or safe for any thread by itself. Outlives the
// workers.
struct Services {
  Services(Config loaded, ProviderSet opened, ProviderSet servers)
      : config(std::move(loaded)),
        providers(std::move(opened), config.providers),
        mcp_servers(std::move(servers)),
        mcp_sessions({.sessions = config.mcp.sessions,
                      .of_agent = config.mcp.agent_sessions,
                      .idle = config.mcp.session_idle},
                     config.mcp.servers.size()),
        mcp_offers(config.mcp.servers.size()),
        rules(config.pack_folder, config.policy_file, config.cache_folder, config.tenants,
              config.admin ? config.admin->rules_folder : std::string(),
              sentinel_pack(config.detect.leaks)),
        bundles(config.decide.bundle, config.decide.agents),
        asked_calls(config.mcp.servers.empty() || config.mcp.asked_by_model == policy::Mode::kOff
                        ? nullptr
                        : std::make_unique<AskedCalls>(config.mcp.asked_within)),
        sticky(config.sticky_entries, config.sticky_ttl) {
    open_observatory();
  }

  // What decides about the actions of an agent now: the collector's policies, else this host's own
  // bundle.
  PolicySet policies_for(std::string_view agent, std::string_view tenant);

  // The policy of that id that the collector has distributed and that is for the agents of this
  // tenant, however it is assigned; nothing: there is none.
  std::optional<PolicySet> find_policy(std::string_view id, std::string_view tenant);

  // Who acts, by the registry of the bundle that decides, else by this host's own.
  Identity identify(const PolicySet& decides, const Caller& caller, std::string_view delegation,
                    std::string_view intent) const;

  // The registry that counts: of the bundle that decides, else this host's own.
  const policy::AgentRegistry& registry_of(const PolicySet& decides) const;

  // The rules alone, for the first time.
  Result<> load_rules();

  // Loads and checks rules, this host's own bundle, the key file and the configuration's providers
  // with their keys, then puts all of them in force. An error in any of them changes nothing. One
  // thread at a time.
  Result<> reload();

  // The configuration's providers alone, with their keys. Any thread.
  Result<> reload_providers();

  // Events cannot be kept at the moment, and this gateway is told to keep all of them.
  bool cannot_record() const { return recorder->is_failing() && config.audit == Audit::kRequired; }

  const Config config;
  ProviderShelf providers;
  const ProviderSet mcp_servers;  // in the order of config.mcp.servers
  McpSessions mcp_sessions;
  OfferBook mcp_offers;
  RuleShelf rules;
  PolicyShelf bundles;                            // of this host's own
  const std::unique_ptr<AskedCalls> asked_calls;  // null: nobody wants to know
  PolicyViews views;
  SessionRisks risks;
  DenialStreaks streaks;
  policy::ToolUsage usage;
  policy::ToolSightings sightings;  // of tools without a pin
  ToldTools told_tools;
  KeyStore keys;
  StickyVerdicts sticky;
  EgressTable egress;
  RunTable runs;
  PlaceholderShelf placeholders;
  std::shared_ptr<Observatory> observatory;    // never null
  std::vector<std::unique_ptr<Voter>> voters;  // empty: none is configured
  bool judges_replies() const {                // some of them do
    for (const auto& voter : voters)
      if (voter->config().replies) return true;
    return false;
  }
  std::unique_ptr<detect::SemanticJudge> semantic;  // null: none; ends before the workers
  std::unique_ptr<Approvals> approvals;  // null: there is nobody to ask; ends before the workers
  std::unique_ptr<TicketDesk> tickets;   // null: none is configured
  std::shared_ptr<Traffic> traffic;      // null: neither routes nor a cache are configured
  std::unique_ptr<Recorder> recorder;
  // What operators assigned to this host. An exchange takes each once, at its start, and keeps it.
  // `policies` is null until the gateway has begun.
  Published<const policy::PolicyBook> policies;
  Published<const policy::FreezeBook> freezes{std::make_shared<const policy::FreezeBook>()};
  UseLimits use;
  std::string host_id;
  Secret hash_key;  // of values in records
  std::atomic<std::size_t> open_connections{0};

 private:
  void open_observatory();
};

}  // namespace aispm::gateway
