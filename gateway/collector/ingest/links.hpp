// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace aispm::collector {

// Which components have a stream open at the moment. Any thread.
class Links {
 public:
  using Name = std::pair<std::string, std::string>;  // host id, component
  void add(const Name& name) {
    const std::lock_guard lock(mutex_);
    ++links_[name];
  }
  void remove(const Name& name) {
    const std::lock_guard lock(mutex_);
    if (const auto found = links_.find(name); found != links_.end() && --found->second == 0)
      links_.erase(found);
  }
  std::set<Name> connected() const {
    const std::lock_guard lock(mutex_);
    std::set<Name> names;
    for (const auto& [name, count] : links_) names.insert(name);
    return names;
  }

 private:
  mutable std::mutex mutex_;
  std::map<Name, int> links_;
};

// Tells those who watch something kept here that it changed. Any thread; callbacks must only wake
// somebody.
class Changes {
 public:
  using Wake = std::function<void()>;
  // The watch ends when the pointer is dropped.
  std::shared_ptr<Wake> watch(Wake wake) {
    auto watcher = std::make_shared<Wake>(std::move(wake));
    const std::lock_guard lock(mutex_);
    std::erase_if(watchers_, [](const auto& weak) { return weak.expired(); });
    watchers_.push_back(watcher);
    return watcher;
  }
  void announce() {
    std::vector<std::shared_ptr<Wake>> all;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& weak : watchers_)
        if (auto watcher = weak.lock()) all.push_back(std::move(watcher));
    }
    for (const auto& watcher : all) (*watcher)();
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Wake>> watchers_;
};
class KeyChanges : public Changes {};    // of agents' keys
class OrderChanges : public Changes {};  // of orders to sensors
class PolicyChanges : public Changes {};
class FreezeChanges : public Changes {};

}  // namespace aispm::collector
