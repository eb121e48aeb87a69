// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// A rule about files, from policies/behaviour.
struct FileRule {
  std::string id;
  std::string file_class;       // FileAccess.file_class
  bool on_write = false;        // else on read
  std::uint64_t min_bytes = 0;  // smaller files do not fit
  model::Severity severity = model::Severity::kInfo;
  std::string message;
  std::vector<std::string> paths;  // globs, `~` already spelled out
  std::vector<std::string> except;
};

// What agents do that somebody should know: data (schema aispm.behaviour/v1), immutable once read.
struct BehaviourRules {
  static constexpr std::string_view kSchema = "aispm.behaviour/v1";
  static constexpr std::size_t kMaxRules = 1000;
  static constexpr std::size_t kMaxGlobs = 1000;  // of one rule

  std::vector<std::string> shells;
  std::optional<model::Severity> shell_spawn;  // nullopt: not told
  std::uint32_t connection_limit = 50;
  std::chrono::seconds connection_window{10};
  std::optional<model::Severity> connection_rate;
  std::optional<model::Severity> raw_socket;
  std::vector<FileRule> files;
  struct Case {
    std::string path;
    bool writes = false;
    std::uint64_t size_bytes = 0;
    std::string expect;  // rule id or "none"
    std::string where;
  };
  std::vector<Case> cases;

  // The rules this version was built with.
  static Result<BehaviourRules> builtin();
  // kInvalid with `file:line: what is wrong, what is allowed`.
  static Result<BehaviourRules> load(const std::string& path);
  static Result<BehaviourRules> parse(const std::string& content, const std::string& name);

  // The first rule that fits; nullptr when none does.
  const FileRule* find_file(std::string_view path, bool writes, std::uint64_t size_bytes) const;
};

// Tells once when an agent opened more connections than allowed within the window, and again only
// after it had been quiet for one window. Bounded; not thread-safe.
class ConnectionRate {
 public:
  static constexpr std::size_t kMaxAgents = 4096;

  ConnectionRate(std::uint32_t limit, std::chrono::seconds window)
      : limit_(limit),
        window_(static_cast<std::uint64_t>(std::chrono::nanoseconds(window).count())) {}

  // True when this connection is the one to tell about.
  bool add(std::string_view agent, BootTime time);

 private:
  struct Recent {
    std::deque<std::uint64_t> times;  // at most limit_ + 1
    bool told = false;
  };
  std::uint32_t limit_;
  std::uint64_t window_;
  std::map<std::string, Recent, std::less<>> agents_;
};

model::Detection behaviour_detection(std::string rule, model::Severity severity,
                                     std::string evidence, std::string message);

}  // namespace aispm::sensor
