// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/model/event.hpp"

// What a detection rule is. Rules come from YAML packs (pack.hpp) and are compiled into an Engine
// (engine.hpp).
namespace aispm::detect {

enum class Category : std::uint8_t { kPromptInjection, kSecret, kPii };

// Where a text stood in the exchange.
enum class Surface : std::uint8_t {
  kPrompt,         // what a user (or the agent as user) wrote
  kSystem,         // system prompt
  kToolResult,     // what a tool, web page or document returned: the way in for indirect injection
  kToolArguments,  // what the model wants a tool to do
  kToolDescription,  // names, descriptions and schemas of offered tools
  kReply,            // what the model answers
};
inline constexpr std::size_t kSurfaceCount = 6;
constexpr std::uint8_t surface_bit(Surface surface) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(surface));
}

// Words used in YAML, events and logs: "prompt_injection", "secret", "pii"; "prompt", "system",
// "tool_result", "tool_arguments", "tool_description", "reply".
std::string_view name_of(Category category);
std::string_view name_of(Surface surface);
std::optional<Category> parse_category(std::string_view name);
std::optional<Surface> parse_surface(std::string_view name);

// How much of a match may stand in evidence.
enum class Mask : std::uint8_t {
  kText,  // shown as it is, cut to 160 bytes (prompt injection only: there is nothing secret in it)
  kEdges,  // first 4 and last 4 characters of long secrets, fewer of short ones
  kLast,   // last 2 characters (PII)
  kAll,    // nothing but the length
};

// A check of the matched bytes that a pattern cannot express.
struct Validator {
  enum class Kind : std::uint8_t {
    kLuhn,
    kIban,
    kSsn,
    kEntropy,
    kGithubChecksum,
    kAwsKeyId,
    kNotPlaceholder,
    kMixed,
  };
  Kind kind = Kind::kLuhn;
  double minimum = 0;    // bits per character, for kEntropy
  bool required = true;  // false (`name?` in YAML): failing only leaves Match::validated false
};

struct Rule {
  std::string id;  // "secret.aws_access_key": category prefix, then [a-z0-9_.]
  Category category = Category::kSecret;
  model::Severity severity = model::Severity::kMedium;
  double confidence = 0.5;
  std::uint8_t surfaces = 0xff;  // bit per Surface
  std::vector<std::string> patterns;
  std::vector<std::string> triggers;  // of which every match holds one; cheaper to look for first
  bool caseless = false;
  std::string not_after;   // character class that must not stand before a match, "" = anything may
  std::string not_before;  // character class that must not follow a match
  std::string keep;  // pattern of the leading part that is context, not part of the reported match
                     // (`password = `)
  std::size_t max_bytes =
      512;  // a match that is not complete in its shortest form within this many bytes is none
  std::vector<Validator> validators;
  Mask mask = Mask::kEdges;
  std::string message;
  std::string version;
  std::vector<std::string> hits;    // texts in which this rule must fire
  std::vector<std::string> misses;  // texts in which it must not
  std::string where;                // "policies/detect/secrets.yaml:12", for messages

  bool applies_to(Surface surface) const {
    return (surfaces >> static_cast<unsigned>(surface)) & 1U;
  }
};

// All rules of all packs in load order; a rule is named by its index in `rules` from here on.
struct RuleSet {
  std::vector<Rule> rules;
  std::string version;  // sha256 (hex) over name and content of every pack
};

// One match in a scanned text.
struct Match {
  std::uint32_t rule = 0;    // index into Engine::rules()
  std::uint64_t offset = 0;  // bytes in the original text
  std::uint64_t length = 0;
  bool validated = false;  // the rule has validators and they passed (a match whose validators fail
                           // is not reported)
  bool encoded = false;    // found inside a base64 or hex run: the span is the whole run

  bool operator==(const Match&) const = default;
};

}  // namespace aispm::detect
