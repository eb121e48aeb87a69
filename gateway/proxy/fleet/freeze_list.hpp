// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <list>
#include <string>
#include <vector>

#include "sdk/core/model/run_facts.hpp"
#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::gateway {

// Whose something is. The user is the first part of the agent's name.
struct FreezeKey {
  std::string agent;
  std::string session;
  std::string tenant;
  std::string model = {};
  std::vector<model::RunParent> parents = {};  // for whom it runs: what stops them stops it

  policy::FreezeSubject subject() const {
    return {.agent = agent,
            .session = session,
            .user = policy::user_of_agent(agent),
            .model = model,
            .tenant = tenant};
  }

  // The freeze that stops it, one that kills before others; null: none.
  const policy::Freeze* find(const policy::FreezeBook& book, WallTime now) const {
    const policy::Freeze* found = book.find(subject(), now);
    for (const model::RunParent& parent : parents) {
      if (found != nullptr && found->kills) break;
      const policy::Freeze* const of_parent =
          book.find({.agent = parent.agent_id,
                     .session = parent.session_id,
                     .user = policy::user_of_agent(parent.agent_id),
                     .tenant = tenant},
                    now);
      if (of_parent != nullptr && (found == nullptr || of_parent->kills)) found = of_parent;
    }
    return found;
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
    for (const Entry* const entry : entries_) entry->hear_(entry->key_.find(book, now));
  }

 private:
  std::list<Entry*> entries_;
};

}  // namespace aispm::gateway
