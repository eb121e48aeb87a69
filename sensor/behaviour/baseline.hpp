// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::sensor {

enum class BaselineKind : std::uint8_t { kDestination, kExecutable, kFile };
std::string_view name_of(BaselineKind kind);  // "destination", "executable", "file"

// What each agent normally touches: everything seen within the learning window after its first
// sight is normal; whatever is new after that is news once, and normal from then on. Bounded; what
// does not fit is neither learned nor told, and counted. Not thread-safe. Pure: the caller keeps
// save()'s text.
class Baselines {
 public:
  static constexpr std::size_t kMaxAgents = 1024;
  static constexpr std::size_t kMaxItems = 4096;  // of one agent and kind
  static constexpr std::size_t kMaxItemBytes = 512;
  static constexpr std::size_t kMaxSavedBytes = 64U << 20;

  explicit Baselines(std::chrono::seconds learning) : learning_(learning) {}

  // True when the item is new for an agent that has been learned.
  bool see(std::string_view agent, BaselineKind kind, std::string_view item, WallTime now);

  // All baselines as JSON, and back: {"version":1,"agents":{"alice/codex":{"since_unix_ns":N,
  // "destination":[...],...}}}. Restoring replaces everything; kInvalid leaves it as it was.
  std::string save() const;
  Result<> restore(std::string_view json);

  std::size_t agents() const { return agents_.size(); }
  std::uint64_t not_learned() const { return not_learned_; }
  // Something changed since the last save().
  bool is_dirty() const { return is_dirty_; }

 private:
  struct Agent {
    WallTime since;
    std::map<BaselineKind, std::set<std::string, std::less<>>> items;
  };
  std::chrono::seconds learning_;
  std::map<std::string, Agent, std::less<>> agents_;
  std::uint64_t not_learned_ = 0;
  mutable bool is_dirty_ = false;
};

}  // namespace aispm::sensor
