// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gateway/proxy/exchange_state.hpp"
#include "gateway/proxy/traffic/traffic.hpp"

namespace aispm::gateway {

// The way of one exchange: which candidates may answer it and what became of the attempts, or
// whether it was answered before. Made where a route fits or answers are kept; lives on its
// worker's thread.
struct RoutePlan {
  static constexpr std::size_t kMaxFailures = 16;  // kept in words
  static constexpr std::size_t kMaxFailureBytes = 256;

  Traffic& traffic;
  Traffic::Route* route = nullptr;    // null: the usual provider
  std::vector<std::size_t> order;     // candidates of the route that serve the client's protocol
  std::size_t begin = 0;              // the place in it that the request was judged for
  const Traffic::Arm* arm = nullptr;  // being asked, or that has answered
  Traffic::Arm* served = nullptr;     // that has answered
  bool is_fallback = false;           // by another than the first choice
  std::size_t attempts = 0;
  std::vector<std::string> failures;
  std::vector<codec::JsonPatch> patches;  // of the request, whoever gets it
  std::string client_headers = {};        // what of the client's own goes to its own protocol
  // Of a candidate of another protocol: why the request cannot be said in it.
  std::optional<Refusal> cannot_say = {};
  // Answers that are kept: what was asked, and a whole answer that was found.
  std::string cache_key;
  AnswerCache::Answer hit;

  void note_failure(const std::string& name, const std::string& why);
};

// After a request was read: chooses the route and its first candidate. Without one nothing changes.
void plan_route(ExchangeState& x);

// Makes the exchange's request one to this candidate, for which it was judged, in its protocol.
// kInvalid: its model cannot be put in place, or the request not be said there.
Result<> prepare_request(ExchangeState& x, const CandidateConfig& to);

// The provider of that name; null: none.
Provider* find_provider(const ProviderSet& providers, std::string_view name);

// Its reply broke off after it had begun: its circuit hears of it.
void note_broken_reply(ExchangeState& x);

// What the event says of the way, and the figures of the candidate that served.
void record_route(ExchangeState& x);

// --- kept answers

// Looks whether this request was answered before; true: then nobody need be asked.
bool take_kept_answer(ExchangeState& x);
// Keeps what the client got, where that may be.
void keep_answer(ExchangeState& x, std::string_view body);

// --- shadows

// Sends the request to the route's shadow too, where it has one: prepared and judged like any
// other, on its way once the exchange waits.
void start_shadow(ExchangeState& x);

}  // namespace aispm::gateway
