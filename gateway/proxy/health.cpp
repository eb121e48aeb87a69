// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/health.hpp"

#include <array>

#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/traffic/traffic_health.hpp"
#include "gateway/proxy/version.hpp"
#include "sdk/core/policy/policy_book.hpp"

namespace aispm::gateway {
namespace {

struct Named {
  const char* name;
  Counter Counters::*counter;
};

constexpr std::array kNamed = {
    Named{"connections", &Counters::connections},
    Named{"open_connections", &Counters::open_connections},
    Named{"refused_connections", &Counters::refused_connections},
    Named{"requests", &Counters::requests},
    Named{"exchanges", &Counters::exchanges},
    Named{"streams", &Counters::streams},
    Named{"denied_requests", &Counters::denied_requests},
    Named{"denied_replies", &Counters::denied_replies},
    Named{"redacted", &Counters::redacted},
    Named{"sticky_denials", &Counters::sticky_denials},
    Named{"frozen", &Counters::frozen},
    Named{"unauthenticated", &Counters::unauthenticated},
    Named{"bad_requests", &Counters::bad_requests},
    Named{"not_found", &Counters::not_found},
    Named{"unscannable", &Counters::unscannable},
    Named{"inspections_late", &Counters::inspections_late},
    Named{"inspections_cut", &Counters::inspections_cut},
    Named{"opinions_missing", &Counters::opinions_missing},
    Named{"opinions_partial", &Counters::opinions_partial},
    Named{"semantic_fired", &Counters::semantic_fired},
    Named{"screened", &Counters::screened},
    Named{"placeholders_restored", &Counters::restored},
    Named{"exchanges_translated", &Counters::translated},
    Named{"upstream_failures", &Counters::upstream_failures},
    Named{"client_gone", &Counters::client_gone},
    Named{"unrecorded_refusals", &Counters::unrecorded_refusals},
    Named{"agent_events", &Counters::agent_events},
    Named{"unknown_run_fields", &Counters::unknown_run_fields},
    Named{"unknown_agent_fields", &Counters::unknown_agent_fields},
    Named{"unknown_events", &Counters::unknown_events},
    Named{"event_secrets", &Counters::event_secrets},
    Named{"event_texts_withheld", &Counters::event_texts_withheld},
    Named{"egress_connections", &Counters::egress_connections},
    Named{"egress_refused", &Counters::egress_refused},
    Named{"mcp_requests", &Counters::mcp_requests},
    Named{"mcp_refused", &Counters::mcp_refused},
    Named{"mcp_stolen_sessions", &Counters::mcp_stolen_sessions},
    Named{"mcp_tools_withheld", &Counters::mcp_tools_withheld},
    Named{"mcp_results_withheld", &Counters::mcp_results_withheld},
    Named{"mcp_server_requests", &Counters::mcp_server_requests},
    Named{"mcp_server_asks", &Counters::mcp_server_asks},
    Named{"mcp_unasked_calls", &Counters::mcp_unasked_calls},
    Named{"mcp_changed_calls", &Counters::mcp_changed_calls},
    Named{"mcp_listens", &Counters::mcp_listens},
    Named{"mcp_changes", &Counters::mcp_changes},
    Named{"mcp_changes_dropped", &Counters::mcp_changes_dropped},
    Named{"mcp_subscriptions_refused", &Counters::mcp_subscriptions_refused},
    Named{"mcp_server_failures", &Counters::mcp_server_failures},
    Named{"attempts_failed", &Counters::attempts_failed},
    Named{"fallbacks", &Counters::fallbacks},
    Named{"circuit_refusals", &Counters::circuit_refusals},
    Named{"shadows", &Counters::shadows},
    Named{"shadows_open", &Counters::shadows_open},
    Named{"shadows_skipped", &Counters::shadows_skipped},
    Named{"shadows_failed", &Counters::shadows_failed},
    Named{"cache_hits", &Counters::cache_hits},
    Named{"cache_stored", &Counters::cache_stored},
    Named{"actions", &Counters::actions},
    Named{"actions_asked", &Counters::actions_asked},
    Named{"rate_limited", &Counters::rate_limited},
    Named{"budget_refused", &Counters::budget_refused},
    Named{"models_refused", &Counters::models_refused},
};

// What was judged and is not in any record.
constexpr std::array kLosses = {
    Named{"actions.unwatched", &Counters::actions_unwatched},
    Named{"leaks.prompts_cut", &Counters::prompts_cut},
};

// What was given up for others' for lack of room.
void add_forgotten(const Services& services, model::ComponentHealth& health) {
  health.losses["sessions.risk_forgotten"] = services.risks.forgotten();
  health.losses["agents.denials_forgotten"] = services.streaks.forgotten();
  health.losses["tools.counts_forgotten"] = services.usage.forgotten();
  health.losses["tools.sights_forgotten"] = services.sightings.forgotten();
  health.counters["tools_refused_full"] = services.usage.refused_full();
}

void add_delivery(const Recorder::State& state, const Services& services,
                  model::ComponentHealth& health) {
  if (!state.configured) {
    health.reasons.push_back(
        "exchanges are not recorded: the configuration has no `report` section");
    health.counters["events_not_recorded"] = state.refused;
    return;
  }
  health.losses["events.refused"] = state.refused;
  health.losses["events.queue_full"] = state.delivery.lost_queue_full;
  health.losses["events.spool_full"] = state.delivery.lost_spool_full;
  health.losses["events.disk_error"] = state.delivery.lost_disk_error;
  health.counters["events_accepted"] = state.delivery.accepted;
  health.counters["events_acknowledged"] = state.delivery.acknowledged;
  health.counters["spooled_bytes"] = state.delivery.spooled_bytes;
  if (!state.delivery.connected)
    health.reasons.push_back("not connected to the collector: " + state.delivery.last_error);
  if (!state.failing) return;
  const bool closed = services.config.audit == Audit::kRequired;
  std::string why = closed ? "events cannot be kept, so requests are refused (audit: required)"
                           : "events cannot be kept";
  if (!state.delivery.disk_error.empty()) why += ": " + state.delivery.disk_error;
  health.reasons.push_back(std::move(why));
}

void add_providers(const ProviderSet& providers, const std::string& kind,
                   model::ComponentHealth& health) {
  for (const auto& provider : providers.all()) {
    const std::string name = kind + " " + provider->config().name;
    const std::string& missing = provider->config().missing_key;
    std::string state = "ok";
    if (!missing.empty()) {
      state = "no key";
      health.reasons.push_back(name + ": " + missing);
    } else if (provider->is_failing()) {
      state = "failing";
      health.reasons.push_back(name + ": " + provider->last_failure());
    }
    health.features[kind + "." + provider->config().name] = state;
  }
}

void add_semantic(const Services& services, model::ComponentHealth& health) {
  if (!services.semantic) {
    health.features["semantic"] = "off";
    return;
  }
  const detect::SemanticHealth state = services.semantic->health();
  health.features["semantic"] = state.ready ? state.version : "absent";
  if (!state.ready)
    health.reasons.push_back("the semantic tier is absent, tier 1 judges alone: " + state.reason);
  health.counters["semantic_judged"] = state.judged;
  health.counters["semantic_partial"] = state.partial;
  health.counters["semantic_waiting"] = state.waiting;
  health.counters["semantic_late"] = state.late;
  health.counters["semantic_dropped"] = state.dropped;
}

void add_voter(const Voter& voter, model::ComponentHealth& health) {
  const std::string key =
      voter.config().name.empty() ? "guard_model" : "guard_model." + voter.config().name;
  const Provider& provider = voter.provider();
  const std::string& who = provider.config().name;
  const std::string& missing = provider.config().missing_key;
  health.features[key] = provider.is_failing() || !missing.empty() ? "failing" : "ok";
  if (!missing.empty()) health.reasons.push_back(who + ": " + missing);
  if (provider.is_failing()) health.reasons.push_back(who + ": " + provider.last_failure());
  const Voter::Counts& counts = voter.counts();
  health.counters[key + "_asked"] = counts.asked.load();
  health.counters[key + "_flagged"] = counts.flagged.load();
  health.counters[key + "_late"] = counts.late.load();
  health.counters[key + "_failed"] = counts.failed.load();
  health.counters[key + "_dropped"] = counts.dropped.load();
  health.counters[key + "_rested"] = counts.rested.load();
}

void add_voters(const Services& services, model::ComponentHealth& health) {
  if (services.voters.empty()) health.features["guard_model"] = "off";
  for (const std::unique_ptr<Voter>& voter : services.voters) add_voter(*voter, health);
}

void add_export(const Services& services, model::ComponentHealth& health) {
  const OtlpExporter* const otlp = services.observatory->otlp.get();
  health.features["otlp"] = otlp ? "ok" : "off";
  if (otlp == nullptr) return;
  const OtlpExporter::State state = otlp->state();
  health.counters["otlp_spans_sent"] = state.sent;
  health.counters["otlp_spans_waiting"] = state.waiting;
  health.counters["otlp_failures"] = state.failures;
  health.losses["otlp.spans_dropped"] = state.dropped;
  if (state.last_error.empty()) return;
  health.features["otlp"] = "failing";
  health.reasons.push_back("spans and metrics are not delivered (observe: otlp:): " +
                           state.last_error);
}

// Decisions that run in Rego's interpreter, a fifth as fast as the others.
void add_interpreted(const policy::Bundle* bundle, const std::string& policy,
                     model::ComponentHealth& health) {
  if (bundle == nullptr || bundle->rego() == nullptr) return;
  for (const auto& [rule, why] : bundle->rego()->interpreted())
    health.features["rego.interpreted." + policy + "." + rule] = why;
}

void add_control(const Services& services, model::ComponentHealth& health) {
  const auto policies = services.policies.load();
  const auto freezes = services.freezes.load();
  health.counters["policies"] = policies->policies().size();
  health.counters["freezes"] = freezes->freezes().size();
  for (const policy::AssignedPolicy& one : policies->policies()) {
    add_interpreted(one.bundle.get(), one.id, health);
    if (one.problem.empty()) continue;
    health.reasons.push_back("policy " + one.id + ": " + one.problem +
                             (one.bundle
                                  ? "; version " + std::to_string(one.version) + " stays in force"
                                  : "; everybody it is for is denied"));
  }
}

void add_bundle(const Services& services, model::ComponentHealth& health) {
  const auto bundle = services.bundles.local();
  if (!bundle) {
    health.features["bundle"] = "off";
    return;
  }
  health.features["bundle"] = bundle->bundle ? bundle->version() : "unusable";
  add_interpreted(bundle->bundle.get(), bundle->id, health);
  if (!bundle->bundle)
    health.reasons.push_back("every action is denied, the policy bundle is unusable: " +
                             bundle->problem);
  if (bundle->is_expired(wall_now()))
    health.reasons.push_back(
        "every action is denied, the policy bundle has expired: load a newer one");
}

}  // namespace

model::Event describe_health(const Services& services,
                             std::span<const std::unique_ptr<Worker>> workers,
                             const std::string& reload_error) {
  model::ComponentHealth health;
  health.component = "gateway";
  health.version = kVersion;
  const auto total_of = [&](const Named& named) {
    std::uint64_t total = 0;
    for (const auto& worker : workers) total += (worker->counters().*named.counter).get();
    return total;
  };
  for (const Named& named : kNamed) health.counters[named.name] = total_of(named);
  for (const Named& named : kLosses) health.losses[named.name] = total_of(named);
  if (health.counters["unknown_run_fields"] != 0)
    health.reasons.push_back(
        "aispm-run reports fields that this gateway does not know and leaves out: update "
        "aispm-gateway to its version");
  health.counters["agent_keys"] = services.keys.size();
  health.counters["sticky_verdicts"] = services.sticky.size();
  add_delivery(services.recorder->state(), services, health);
  add_forgotten(services, health);
  add_providers(*services.providers.current(), "provider", health);
  add_providers(services.mcp_servers, "mcp", health);
  health.counters["mcp_sessions"] = services.mcp_sessions.size();
  if (services.traffic) add_traffic(*services.traffic, health);
  if (services.asked_calls) {
    health.counters["mcp_asked_calls"] = services.asked_calls->size();
    health.counters["mcp_asked_forgotten"] = services.asked_calls->forgotten();
  }
  add_semantic(services, health);
  add_voters(services, health);
  add_export(services, health);
  add_control(services, health);
  add_bundle(services, health);
  services.use.describe(health);
  health.counters["placeholder_sessions"] = services.placeholders.size();
  health.counters["placeholder_sessions_evicted"] = services.placeholders.evicted();
  if (!reload_error.empty())
    health.reasons.push_back("reload failed, the old rules are in force: " + reload_error);
  if (const auto book = services.rules.current()) {
    health.features["policy.version"] = book->policy->version();
    health.features["detect.version"] = book->engine->version();
    health.features["policy.mode"] = std::string(policy::name_of(book->policy->default_mode()));
    health.counters["detection_engines"] = book->count_engines();
    health.counters["compiled_packs_loaded"] = book->cache.loaded;
    health.counters["compiled_packs_made"] = book->cache.compiled;
    health.counters["compiled_packs_damaged"] = book->cache.damaged;
    health.counters["compiled_packs_not_kept"] = book->cache.unwritten;
  } else {
    health.reasons.push_back("the detection rules are being loaded: requests are refused");
  }
  health.state = health.reasons.empty() ? "ok" : "degraded";
  model::Event event;
  event.host_id = services.host_id;
  event.source = model::Source::kGateway;
  event.body = std::move(health);
  return event;
}

}  // namespace aispm::gateway
