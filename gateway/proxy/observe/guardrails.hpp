// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/glob.hpp"
#include "sdk/core/policy/policy.hpp"

namespace aispm::gateway {

// A text that stands for itself in a pattern of a pack.
std::string literal_pattern(std::string_view text);

enum class GuardrailType : std::uint8_t { kRegex, kKeyword, kThreshold };

// One rule that an operator gave to the running gateway, for the agents of one tenant.
struct Guardrail {
  static constexpr std::size_t kMaxPerTenant = 256;
  static constexpr std::size_t kMaxTextBytes = 4096;  // of a pattern
  static constexpr std::size_t kMaxNameBytes = 128;
  static constexpr std::size_t kMaxKeywords = 64;

  std::string id;    // 12 hex digits
  std::string name;  // for people
  GuardrailType type = GuardrailType::kKeyword;
  std::string pattern;                // kRegex
  std::string example;                // kRegex: a text that it finds
  std::vector<std::string> keywords;  // kKeyword: whole words
  bool caseless = true;               // both of these
  std::string category;               // kThreshold: of detections ...
  std::string rule;                   // ... or a glob over the ids of their rules
  double threshold = 0;               // kThreshold: at least so sure
  std::string action = "block";       // block, redact, warn
  std::string applies_to = "both";    // input, output, both
  std::string severity = "high";
  bool enabled = true;
  WallTime created;
  WallTime updated;

  std::string rule_id() const { return "custom.guardrail." + id; }
};

// Reads what an operator sends: all but id and times. kInvalid names the member and what is
// allowed.
Result<Guardrail> read_guardrail(std::string_view body);
// With id and times, as answered and kept on disk.
std::string guardrail_json(const Guardrail& guardrail);
std::string guardrail_list_json(const std::vector<Guardrail>& guardrails);
Result<std::vector<Guardrail>> read_guardrail_list(std::string_view body);

// Those of one tenant, ready for use. Immutable; any thread.
class GuardrailSet {
 public:
  explicit GuardrailSet(std::vector<Guardrail> guardrails);

  const std::vector<Guardrail>& all() const { return all_; }
  // The pack of their patterns (sdk/core/detect/pack.hpp); "" = there are none.
  const std::string& pack() const { return pack_; }
  // Whether the detection rule is of a guardrail that does not look in this direction.
  bool is_elsewhere(policy::Direction direction, std::string_view rule_id) const;
  // What they say of a detection, or of a detection rule that might fire; nothing: nothing. Views
  // into the set.
  std::optional<policy::Verdict> judge(policy::Direction direction, const policy::Fact& fact,
                                       policy::Mode mode) const;

 private:
  struct Threshold {
    const Guardrail* guardrail;
    policy::Glob rule;
  };
  std::vector<Guardrail> all_;
  std::string pack_;
  std::unordered_map<std::string, const Guardrail*> patterns_;  // enabled ones, by rule id
  std::vector<Threshold> thresholds_;                           // enabled ones
};

using Guardrails = std::map<std::string, std::shared_ptr<const GuardrailSet>, std::less<>>;

// Where they are kept: a file for each tenant in `<folder>/guardrails`. No folder ("") holds none.
// One thread at a time.
class GuardrailFiles {
 public:
  explicit GuardrailFiles(const std::string& folder)
      : folder_(folder.empty() ? std::string() : folder + "/guardrails") {}
  Result<Guardrails> load() const;
  // Whole or not at all, and on disk when it returns; an empty list takes the file away.
  Result<> write(const std::string& tenant, const std::vector<Guardrail>& guardrails) const;

 private:
  std::string folder_;
};

}  // namespace aispm::gateway
