// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/proxy/dialect.hpp"

namespace aispm::gateway {

struct BlockFacts;

// Why the gateway itself answers instead of a provider.
enum class RefusalKind : std::uint8_t {
  kPolicy,           // 400: policy denies it; the client must not try again
  kBadRequest,       // 400: malformed
  kUnauthenticated,  // 401
  kNotFound,         // 404: no such route
  kMethod,           // 405
  kTimeout,          // 408: the client took too long to send its request
  kTooLarge,         // 413
  kEncoding,         // 415: a coding that is not undone here, so nothing of it is let through
  kHeaders,          // 431
  kUpstream,         // 502: the provider cannot be reached or talks nonsense
  kUnrecorded,       // 503: exchanges cannot be recorded, and policy demands that they are
  kOverloaded,       // 503: too many connections
  kUpstreamTimeout,  // 504
  kNotReady,         // 503: the rules are being loaded
  kFrozen,           // 403: an operator stopped this agent
  kRateLimited,      // 429: too often; may be tried again when retry-after is over
  kBudget,           // 429, to Anthropic's clients 402: what may be spent is spent
  kModel,            // 403: this model is not approved
  kCircuitOpen,      // 503: every provider that could answer failed lately and is left alone
  kForbidden,        // 403: a key of another tenant, a page of another origin
  kClientGone,       // 499: the client closed its connection before there was an answer
};

struct Refusal {
  RefusalKind kind = RefusalKind::kBadRequest;
  std::string message;       // one sentence for the person at the client
  std::string decision;      // kPolicy, kFrozen: "deny", "kill_switch", ...; else empty
  std::string case_id;       // kPolicy, kFrozen: what to quote when asking; else empty
  std::string headers = {};  // further lines of the reply's head, each with its end
  std::uint32_t retry_after_seconds = 0;  // 0: nothing is said
  // Of a denial: what programs read of it (pipeline/explain.hpp); null: nothing is said.
  std::shared_ptr<const BlockFacts> blocked = {};
};

// One without a decision behind it.
Refusal make_refusal(RefusalKind kind, std::string_view message);

int status_of(RefusalKind kind, Dialect dialect = Dialect::kOpenAi);
// Stable word for programs: "aispm_deny", "invalid_api_key", "aispm_upstream_unavailable", ...
std::string code_of(const Refusal& refusal);

// The error object that the dialect's own clients show: GATEWAY 5.5.
std::string error_body(Dialect dialect, const Refusal& refusal);

// The whole HTTP/1.1 reply. A policy refusal forbids the clients' automatic retry (x-should-retry:
// false).
std::string error_reply(Dialect dialect, const Refusal& refusal, bool keep_alive,
                        bool with_body = true);

// A 200 with a JSON body, whole.
std::string json_reply(std::string_view body, bool keep_alive, bool with_body = true);

}  // namespace aispm::gateway
