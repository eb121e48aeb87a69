// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sdk/core/common/yaml.hpp"
#include "sdk/core/model/event.hpp"
#include "sdk/core/policy/action.hpp"
#include "sdk/core/policy/glob.hpp"

// Where a tool may send data: `channels` of tools.yaml.
namespace aispm::policy {

struct ToolVerdict {
  model::Outcome outcome = model::Outcome::kAllow;
  std::string_view rule_id;  // empty: nothing stands against it
  std::string_view reason;   // valid as long as the policy
};

// One channel (mail, a chat, the web) with its destinations. All rules that fit are asked and the
// strictest stands: what is blocked stays blocked, wherever else it is allowed.
class EgressChannel {
 public:
  enum class Kind : std::uint8_t { kEmail, kUrl, kText };
  static constexpr std::size_t kMaxValueBytes = 2048;
  static constexpr std::size_t kMaxDestinations = 1000;

  static EgressChannel read(const YamlMap& map, const std::string& name);

  // `value`: what an argument names as the destination: one or more mail addresses, a URL or host
  // with or without port, or a text. What cannot be read is denied. Does not allocate.
  ToolVerdict judge(std::string_view value, std::span<const std::string> labels) const;

  // Whether mail to `value` goes to this address, letters of any case. False for other channels.
  bool mails_to(std::string_view value, std::string_view address) const;

 private:
  struct Rule {
    std::vector<Glob> to;
    std::vector<std::string> labels;  // any of them; empty: whatever the data
    model::Outcome outcome = model::Outcome::kAllow;
    std::string reason;
  };
  ToolVerdict judge_one(std::string_view destination, std::span<const std::string> labels) const;
  ToolVerdict judge_mail(std::string_view value, std::span<const std::string> labels) const;

  Kind kind_ = Kind::kText;
  model::Outcome fallback_ = model::Outcome::kDeny;
  std::vector<Rule> rules_;
};

// The host of a URL or of `host[:port][/path]`; empty where programs might read it differently.
std::string_view host_in(std::string_view url);

}  // namespace aispm::policy
