// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace aispm::gateway {

// How many connections to further hosts each run has open. Thread-safe.
class EgressTable {
 public:
  // One connection, for as long as it lives.
  class Lease {
   public:
    Lease(EgressTable& table, std::string session) : table_(&table), session_(std::move(session)) {}
    Lease(Lease&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), session_(std::move(other.session_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (table_) table_->give_back(session_);
    }

   private:
    EgressTable* table_;
    std::string session_;
  };

  // Nothing when the run has `limit` of them already.
  std::optional<Lease> take(const std::string& session, std::size_t limit) {
    const std::lock_guard lock(mutex_);
    std::size_t& open = open_[session];
    if (open >= limit) return std::nullopt;
    ++open;
    return std::optional<Lease>(std::in_place, *this, session);
  }

 private:
  void give_back(const std::string& session) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(session);
    if (found != open_.end() && --found->second == 0) open_.erase(found);
  }

  std::mutex mutex_;
  std::map<std::string, std::size_t> open_;  // guarded by mutex_; only runs with open connections
};

}  // namespace aispm::gateway
