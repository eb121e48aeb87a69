// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace aispm::gateway {

// One thread's totals since the start; only its thread writes, health reads. A plain add: no other
// thread writes it.
class Counter {
 public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - count, std::memory_order_relaxed);
  }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  Counter connections;          // accepted
  Counter open_connections;     // now
  Counter refused_connections;  // over the limit
  Counter requests;             // of any kind
  Counter exchanges;            // with a model
  Counter streams;              // of those, streamed replies
  Counter denied_requests;
  Counter denied_replies;
  Counter redacted;  // exchanges in which something was redacted
  Counter sticky_denials;
  Counter frozen;  // exchanges that an operator's freeze refused or cut
  Counter unauthenticated;
  Counter bad_requests;  // malformed, too large, encoded
  Counter not_found;
  Counter unscannable;       // could not be scanned, so not let through
  Counter inspections_late;  // a layer took longer than its budget
  Counter inspections_cut;   // not looked through to the end, for want of time
  Counter opinions_missing;  // requests of which a slower judge did not speak
  Counter opinions_partial;  // requests too long for slower judges to see all of
  Counter semantic_fired;    // texts that both tiers together hold for an attack
  Counter prompts_cut;       // exchanges whose system prompt is too long to be all compared
  Counter screened;          // texts judged for their own sake
  Counter restored;          // placeholders turned back
  Counter translated;        // exchanges with a provider of another protocol
  Counter upstream_failures;
  Counter upstream_connections;  // made
  Counter client_gone;           // left before the reply was complete
  Counter unrecorded_refusals;   // refused because events could not be kept
  Counter agent_events;          // taken from agents and aispm-run
  Counter unknown_run_fields;    // of them, left out: aispm-run is newer
  Counter unknown_agent_fields;  // the same of agents
  Counter unknown_events;        // left out altogether
  Counter event_secrets;         // cut out of the texts of events
  Counter event_texts_withheld;  // that could not be scanned for secrets, so not recorded
  Counter egress_connections;    // to further hosts, for sandboxed agents
  Counter actions;               // tool calls and prompts that policy bundles judged
  Counter actions_asked;         // of those, that somebody was asked about
  Counter actions_unwatched;     // words of policies that are only watched, not recorded
  Counter mcp_requests;          // to the MCP endpoint
  Counter mcp_refused;           // of those, not of the protocol or not of its sender
  Counter mcp_stolen_sessions;   // ids that another agent showed
  Counter mcp_tools_withheld;    // from lists, for what they say of themselves
  Counter mcp_results_withheld;  // that a client did not get, for what is in them
  Counter mcp_server_requests;   // of servers to clients, refused
  Counter mcp_server_asks;       // of servers to clients, granted and passed on
  Counter mcp_unasked_calls;     // that no model had asked for
  Counter mcp_changed_calls;     // that models had asked for with other arguments

  // Streams of changes at MCP servers.
  Counter mcp_listens;                // streams of changes that clients opened
  Counter mcp_changes;                // that clients were told of
  Counter mcp_changes_dropped;        // not theirs, denied, or too many at once
  Counter mcp_subscriptions_refused;  // over a limit

  Counter mcp_server_failures;  // could not be reached, or did not speak the protocol
  Counter rate_limited;         // requests and actions refused because there were too many
  Counter budget_refused;       // requests for which not enough was left
  Counter models_refused;       // requests for models that are not approved
  Counter attempts_failed;      // requests to providers that had no reply to pass on
  Counter fallbacks;            // answered by another provider than the first choice
  Counter circuit_refusals;     // requests refused because every circuit was open
  Counter shadows;              // requests sent to a shadow candidate
  Counter shadows_open;         // of those, now
  Counter shadows_skipped;      // not sent: too many at once, too large, or denied to it
  Counter shadows_failed;       // without a whole reply
  Counter cache_hits;
  Counter cache_stored;
  Counter egress_refused;  // of those, refused by the operator's rules or by their address
};

}  // namespace aispm::gateway
