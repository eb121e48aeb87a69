// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sdk/core/detect/placeholder.hpp"

namespace aispm::gateway {

// The placeholders of one session, for any thread.
class SessionPlaceholders final : public detect::Redactor {
 public:
  explicit SessionPlaceholders(bool keeps_vault);
  SessionPlaceholders(const SessionPlaceholders&) = delete;
  SessionPlaceholders& operator=(const SessionPlaceholders&) = delete;

  // For what is found in replies: what only a model said is not turned back for its reader. Lives
  // as long as this.
  detect::Redactor& for_replies() { return replies_; }
  void append(const detect::Rule& rule, std::string_view value, std::string& out) override;
  // Appends `text` with this session's placeholders turned back into their values. With
  // `into_json` the values are escaped, for a text that is JSON itself.
  std::size_t restore(std::string_view text, bool into_json, std::string& out) const;
  bool can_restore() const;
  std::size_t vault_bytes() const;
  std::uint64_t overflow() const;

 private:
  class Replies final : public detect::Redactor {
   public:
    explicit Replies(SessionPlaceholders& session) : session_(session) {}
    void append(const detect::Rule& rule, std::string_view value, std::string& out) override;

   private:
    SessionPlaceholders& session_;
  };

  mutable std::mutex mutex_;
  detect::Placeholders placeholders_;
  Replies replies_{*this};
};

// Placeholders by agent and session. Bounded: the least recently used session goes first, and its
// placeholders are then new ones. Any thread. The time of the question is passed in.
class PlaceholderShelf {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxSessions = 1024;
  static constexpr std::size_t kMaxVaultBytes = 64U << 20;  // of all sessions
  static constexpr std::chrono::hours kIdle{1};

  // The session's own; requests of an agent without a session share one.
  std::shared_ptr<SessionPlaceholders> of(std::string_view tenant, std::string_view agent,
                                          std::string_view session, bool keeps_vault, Time now);
  std::size_t size() const;
  // Sessions that went while they might still have been used.
  std::uint64_t evicted() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<SessionPlaceholders> session;
    Time used;
  };
  void make_room(Time now);

  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;
  std::uint64_t evicted_ = 0;
};

// Turns placeholders back in a text that comes in pieces: what may still become one is held.
class PlaceholderStream {
 public:
  PlaceholderStream(std::shared_ptr<const SessionPlaceholders> session, bool into_json)
      : session_(std::move(session)), into_json_(into_json) {}

  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);
  std::size_t held_bytes() const { return held_.size(); }
  std::uint64_t restored() const { return restored_; }

 private:
  std::shared_ptr<const SessionPlaceholders> session_;
  bool into_json_;
  std::string held_;
  std::uint64_t restored_ = 0;
};

}  // namespace aispm::gateway
