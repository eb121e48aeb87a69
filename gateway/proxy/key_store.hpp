// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/published.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/report/reporter.hpp"

namespace aispm::gateway {

struct AgentIdentity {
  std::string agent_id;
  std::string tenant;
  std::string key_id;
};

// Which key belongs to which agent. Only hashes are kept: a presented key is hashed and looked up,
// so neither the store nor the time of a lookup tells anything about a key. Readers see an
// immutable snapshot; any thread.
class KeyStore {
 public:
  static constexpr std::size_t kMaxKeyBytes = 512;
  struct HashOfHash {
    std::size_t operator()(const Sha256& hash) const;
  };
  using Keys = std::unordered_map<Sha256, std::shared_ptr<const AgentIdentity>, HashOfHash>;

  // Null when nobody has this key. The pointer is valid as long as the caller holds it.
  std::shared_ptr<const AgentIdentity> find(std::string_view presented_key) const;
  // Replaces the keys followed from the collector; those of the key file stay.
  void follow(const std::vector<report::AgentKey>& keys);
  // Adds the keys of a file for use without a collector:
  //   keys:
  //     - sha256: <64 hex digits of the key's SHA-256>
  //       agent: tests/agent
  Result<> load_file(const std::string& path);
  // The two halves of that: reads and checks; puts in force.
  static Result<std::shared_ptr<const Keys>> read_file(const std::string& path);
  void take_file(const Keys& keys);
  std::size_t size() const;

 private:
  void publish();

  std::mutex mutex_;  // of writers
  Keys from_file_;
  Keys followed_;
  Published<const Keys> snapshot_;
};

}  // namespace aispm::gateway
