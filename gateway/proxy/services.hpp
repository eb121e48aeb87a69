// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>

#include "gateway/proxy/config.hpp"
#include "gateway/proxy/decide/approvals.hpp"
#include "gateway/proxy/decide/policy_shelf.hpp"
#include "gateway/proxy/decide/risk_facts.hpp"
#include "gateway/proxy/decide/tickets.hpp"
#include "gateway/proxy/egress/egress_table.hpp"
#include "gateway/proxy/key_store.hpp"
#include "gateway/proxy/placeholder_shelf.hpp"
#include "gateway/proxy/providers/provider.hpp"
#include "gateway/proxy/recorder.hpp"
#include "gateway/proxy/rule_book.hpp"
#include "gateway/proxy/sticky.hpp"
#include "gateway/proxy/voter.hpp"
#include "sdk/core/detect/semantic_judge.hpp"
#include "sdk/core/policy/tool_sightings.hpp"
#include "sdk/core/policy/tool_usage.hpp"

namespace aispm::gateway {

// What all threads share: each member is immutable or safe for any thread by itself. Outlives the
// workers.
struct Services {
  Services(Config loaded, ProviderSet opened)
      : config(std::move(loaded)),
        providers(std::move(opened)),
        rules(config.pack_folder, config.policy_file, config.cache_folder, config.tenants,
              config.admin ? config.admin->rules_folder : std::string()),
        bundles(config.decide.bundle),
        sticky(config.sticky_entries, config.sticky_ttl) {}

  // What decides about the actions of an agent now.
  PolicySet policies_for(std::string_view, std::string_view) const {
    return {.enforced = bundles.is_configured() ? bundles.local() : nullptr, .monitored = {}};
  }

  const Config config;
  const ProviderSet providers;
  RuleShelf rules;
  PolicyShelf bundles;  // of this host's own
  SessionRisks risks;
  policy::ToolUsage usage;
  policy::ToolSightings sightings;  // of tools without a pin
  KeyStore keys;
  StickyVerdicts sticky;
  EgressTable egress;
  PlaceholderShelf placeholders;
  std::unique_ptr<Voter> voter;                     // null: none is configured
  std::unique_ptr<detect::SemanticJudge> semantic;  // null: likewise; ends before the workers
  std::unique_ptr<Approvals> approvals;  // null: there is nobody to ask; ends before the workers
  std::unique_ptr<TicketDesk> tickets;   // null: none is configured
  std::unique_ptr<Recorder> recorder;
  std::string host_id;
  Secret hash_key;  // of values in records
  std::atomic<std::size_t> open_connections{0};
};

}  // namespace aispm::gateway
