// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// Which sessions, or which events of one, are asked for.
struct SessionFilter {
  static constexpr std::size_t kMaxLimit = 500;
  std::optional<std::string> tenant;  // nothing: of all tenants; "": of agents whose key names none
  std::string agent;
  std::size_t offset = 0;
  std::size_t limit = 50;
};
// Reads `?tenant=&agent=&limit=&offset=`. kInvalid names the parameter and what is allowed.
Result<SessionFilter> read_session_filter(std::string_view query);

// What happened lately in the sessions of agents, without texts: in memory, bounded, the session
// that was idle longest goes first. Two agents may have a session of the same id, since clients
// choose it. Any thread.
class SessionLog {
 public:
  struct Bounds {
    std::size_t sessions = 4096;  // 0: nothing is remembered
    std::size_t events = 10'000;  // of all sessions
  };
  explicit SessionLog(Bounds bounds) : bounds_(bounds) {}

  // Takes what it keeps of an event that has a session.
  void add(const model::Event& event);

  // {"sessions": [...], "total", "offset", "limit", "forgotten"}: the latest first; `forgotten`,
  // events that are not remembered any more, of all sessions.
  std::string list(const SessionFilter& filter) const;
  // {"session_id", "tenant", "agent", "events": [...], "total", "forgotten"}: in the order in which
  // they ended. kNotFound: there is none of that id, for that tenant and agent. kInvalid: several.
  Result<std::string> list_events(std::string_view id, const SessionFilter& filter) const;

 private:
  struct Entry {
    std::string id;
    WallTime time;
    std::string kind;   // "llm_call", "action_call", ...
    std::string what;   // model, or tool
    std::string where;  // provider
    std::string trace_id;
    std::string outcome;
    std::string rule;
    std::uint32_t status = 0;
    std::uint64_t duration_us = 0;
    std::size_t detections = 0;
  };
  struct Key {
    std::string tenant;
    std::string agent;
    std::string id;
    auto operator<=>(const Key&) const = default;
  };
  struct Session {
    Key key;
    WallTime first;
    WallTime last;
    std::uint64_t denied = 0;
    std::uint64_t flagged = 0;
    std::uint64_t forgotten = 0;
    std::deque<Entry> entries;  // oldest first
  };
  using Sessions = std::list<Session>;  // the latest first

  static Entry entry_of(const model::Event& event);
  static bool is_asked_for(const SessionFilter& filter, const Key& key);
  void make_room();

  const Bounds bounds_;
  mutable std::mutex mutex_;
  Sessions sessions_;
  std::map<Key, Sessions::iterator> index_;
  std::size_t events_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace aispm::gateway
