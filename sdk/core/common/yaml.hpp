// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace YAML {
class Node;
}

namespace aispm {

// Strict reading of configuration and policy files: every error reads `file:line: what is wrong,
// what is allowed`, and `finish()` makes an unknown key an error.
//
//   AISPM_TRY(const YamlMap root, YamlMap::load(path));
//   config.listen = root.text("listen", "127.0.0.1:8088");     // default when absent
//   config.workers = root.integer("workers", 1, {1, 256});
//   AISPM_CHECK(root.finish());                                // first error met, or unknown keys
//
// Getters never throw: the first error is kept and returned by `finish()`, so a loader reads top to
// bottom. A child map reports into its parent, so only the root is finished. Not thread-safe.
class YamlMap {
 public:
  static constexpr std::size_t kMaxFileBytes = 4U << 20;
  struct Range {
    std::int64_t low;
    std::int64_t high;
  };

  static Result<YamlMap> load(const std::string& path);
  // `name` stands for the file in messages.
  static Result<YamlMap> parse(const std::string& content, const std::string& name);

  std::string text(const std::string& key, const std::string& fallback) const;
  std::string required_text(const std::string& key) const;
  std::int64_t integer(const std::string& key, std::int64_t fallback, Range allowed) const;
  double number(const std::string& key, double fallback, double low, double high) const;
  bool flag(const std::string& key, bool fallback) const;
  // A duration such as "250ms", "30s", "5m", "1h".
  std::chrono::milliseconds duration(const std::string& key,
                                     std::chrono::milliseconds fallback) const;
  // A size such as "512", "64KiB", "16MiB", "2GiB".
  std::uint64_t size_bytes(const std::string& key, std::uint64_t fallback,
                           std::uint64_t high) const;
  // One of `allowed`.
  std::string choice(const std::string& key, const std::string& fallback,
                     const std::vector<std::string>& allowed) const;
  std::vector<std::string> texts(const std::string& key) const;
  // Absent: an empty map whose getters give their fallbacks.
  YamlMap map(const std::string& key) const;
  std::vector<YamlMap> maps(const std::string& key) const;
  // The keys present, in file order (for maps whose keys are data); marks them all as known.
  std::vector<std::string> keys() const;
  bool has(const std::string& key) const;
  bool is_list(const std::string& key) const;

  // `file:line` of the key (or of this map), for errors found by the caller.
  std::string where(const std::string& key = "") const;
  // Records an error of the caller's own at `key`.
  void reject(const std::string& key, const std::string& what) const;

  Result<> finish() const;

 private:
  struct State;
  struct View;
  YamlMap(std::shared_ptr<State> state, View* view) : state_(std::move(state)), view_(view) {}
  std::shared_ptr<State> state_;
  View* view_;  // owned by *state_
};

}  // namespace aispm
