// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <list>
#include <string>

#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::gateway {

// Whose something is. The user is the first part of the agent's name.
struct FreezeKey {
  std::string agent;
  std::string session;
  std::string tenant;
  std::string model = {};

  policy::FreezeSubject subject() const {
    return {.agent = agent,
            .session = session,
            .user = policy::user_of_agent(agent),
            .model = model,
            .tenant = tenant};
  }
};

// What runs on one worker and must hear of freezes. Of the worker's thread.
class FreezeList {
 public:
  // Hears of every change; unlinks itself.
  class Entry {
   public:
    // `hear` gets the freeze that fits, or null; it must not end an entry.
    using Hear = std::function<void(const policy::Freeze*)>;
    Entry(FreezeList& list, FreezeKey key, Hear hear)
        : list_(list), key_(std::move(key)), hear_(std::move(hear)) {
      place_ = list_.entries_.insert(list_.entries_.end(), this);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { list_.entries_.erase(place_); }
    const FreezeKey& key() const { return key_; }

   private:
    friend class FreezeList;
    FreezeList& list_;
    const FreezeKey key_;
    const Hear hear_;
    std::list<Entry*>::iterator place_;
  };

  void apply(const policy::FreezeBook& book, WallTime now) const {
    for (const Entry* const entry : entries_) entry->hear_(book.find(entry->key_.subject(), now));
  }

 private:
  std::list<Entry*> entries_;
};

}  // namespace aispm::gateway
