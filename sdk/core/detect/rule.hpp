// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
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

// What a rule is about. Policy matches on the words; the order is the order of the enum.
enum class Category : std::uint8_t {
  kPromptInjection,  // takes the model over: override, injected tasks, fake turns
  kSecret,
  kPii,
  kJailbreak,            // talks the model out of its rules
  kExtraction,           // asks for the system prompt or secrets of the prompt
  kExfiltration,         // sends data to where it does not belong
  kToolAbuse,            // makes tools do harm, poisons their descriptions
  kMemoryPoisoning,      // writes instructions where later sessions read them
  kRecon,                // enumerates model, tools and permissions
  kPrivilegeEscalation,  // claims authority it does not have
  kSocialEngineering,
  kMalware,
  kObfuscation,     // hides what it says: the trick itself
  kInsecureOutput,  // output that harms who renders or runs it
  kToxicity,
  kHarmful,       // harmful requests (taxonomy S1-S15 by Rule::label)
  kConfidential,  // marked as internal by its owner
  kCustom,        // a tenant's own; named by Rule::label
};
inline constexpr std::size_t kCategoryCount = 18;
constexpr std::uint32_t category_bit(Category category) {
  return 1U << static_cast<unsigned>(category);
}

// Evidence of these is always masked, and what hides their matches is not looked through by
// changing letters: values, not wording.
constexpr bool is_data(Category category) {
  return category == Category::kSecret || category == Category::kPii;
}

// Where a text stood in the exchange. The caller names it: the same sentence is fine from a user
// and damning in a tool result.
enum class Surface : std::uint8_t {
  kPrompt,             // what a user (or the agent as user) wrote
  kSystem,             // system prompt
  kToolResult,         // what a tool returned: the way in for indirect injection
  kToolArguments,      // what the model wants a tool to do
  kToolDescription,    // names, descriptions and schemas of offered tools
  kReply,              // what the model answers
  kMemoryWrite,        // what is to be remembered for later sessions
  kRetrievedDocument,  // a document that was looked up for the model
  kEmailOrWeb,         // an e-mail or a web page
};
inline constexpr std::size_t kSurfaceCount = 9;
using SurfaceBits = std::uint16_t;
inline constexpr SurfaceBits kAllSurfaces = (1U << kSurfaceCount) - 1;
constexpr SurfaceBits surface_bit(Surface surface) {
  return static_cast<SurfaceBits>(1U << static_cast<unsigned>(surface));
}
// Content that somebody else than the user and the operator wrote.
inline constexpr SurfaceBits kForeignSurfaces =
    surface_bit(Surface::kToolResult) | surface_bit(Surface::kToolDescription) |
    surface_bit(Surface::kRetrievedDocument) | surface_bit(Surface::kEmailOrWeb);

// Words used in YAML, events and logs: "prompt_injection", "secret", "pii", "jailbreak", ...;
// "prompt", "system", "tool_result", "tool_arguments", "tool_description", "reply", "memory_write",
// "retrieved_document", "email_or_web". Surfaces may also be called "user_prompt", "system_prompt",
// "llm_output", "email", "web", "tool_call".
std::string_view name_of(Category category);
std::string_view name_of(Surface surface);
std::optional<Category> parse_category(std::string_view name);
std::optional<Surface> parse_surface(std::string_view name);
// All words of parse_surface() that name_of() gives, for messages: "prompt, system, ...".
std::string surface_words();
std::string category_words();

// How much of a match may stand in evidence.
enum class Mask : std::uint8_t {
  kText,  // shown as it is, cut to 160 bytes (prompt injection only: there is nothing secret in it)
  kEdges,  // first 4 and last 4 characters of long secrets, fewer of short ones
  kLast,   // last 2 characters (PII)
  kAll,    // nothing but the length
};

// A check of the matched bytes that a pattern cannot express; see validate.hpp for their names.
struct Validator {
  bool (*test)(std::string_view matched) = nullptr;  // null: entropy of at least `minimum`
  double minimum = 0;                                // bits per character
  bool required = true;   // false (`name?` in YAML): failing only leaves Match::validated false
  bool shortens = false;  // where the longest match fails, shorter ones are tried
};

// Words that must (or must not) stand near a match.
struct Context {
  static constexpr std::size_t kMaxWithin = 256;
  std::vector<std::string> words;    // lower case; whole words, ASCII case does not matter
  std::vector<std::string> without;  // words of which none may stand there
  std::size_t within = 60;           // bytes of the original text before and after the match
  bool required = true;              // false: only decides whether the match counts as validated
  bool mentions = true;  // false: wording that is only spoken of (mention.hpp) is no match

  bool empty() const { return words.empty() && without.empty() && mentions; }
};

// What a surface changes about a rule.
struct SurfaceGrade {
  std::optional<model::Severity> severity;
  std::optional<double> confidence;
  std::optional<double> alone;  // instead of kStandsAlone
};

// Which forms of a text a rule reads.
enum class Reads : std::uint8_t {
  kText,     // the text, its normalised form and what its encodings hide
  kLetters,  // only words written letter by letter ("i-g-n-o-r-e a.l.l"), as lower-case letters
             // without anything between: "ignoreall"
};

// A match of a rule that is less sure than this is no detection by itself.
inline constexpr double kStandsAlone = 0.5;

struct Rule {
  std::string id;  // "secret.aws_access_key": category prefix, then [a-z0-9_.]
  Category category = Category::kSecret;
  model::Severity severity = model::Severity::kMedium;
  double confidence = 0.5;
  SurfaceBits surfaces = kAllSurfaces;  // bit per Surface
  std::array<SurfaceGrade, kSurfaceCount> by_surface;
  SurfaceBits supported = 0;  // where a match counts only with tier 1's support (inspect.hpp)
  std::vector<std::string>
      tags;            // of frameworks: "owasp-llm:LLM01", "asi:ASI01", "atlas:AML.T0051"
  std::string family;  // technique, e.g. "override"; "" = none
  std::string label;   // of kCustom and kHarmful: the tenant's class, the taxonomy's code ("S9")
  std::string entity;  // type in placeholders, e.g. "EMAIL"; default: last part of the id
  std::vector<std::string> patterns;  // a rule has either these or a signal
  std::string signal;                 // name of a built-in detector (signal.hpp)
  Reads reads = Reads::kText;
  std::vector<std::string> allow;  // a reported text that one of these matches whole is none
  Context context;
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
    return ((surfaces >> static_cast<unsigned>(surface)) & 1U) != 0;
  }
  bool needs_support_on(Surface surface) const { return (supported & surface_bit(surface)) != 0; }
  model::Severity severity_on(Surface surface) const {
    return by_surface[static_cast<std::size_t>(surface)].severity.value_or(severity);
  }
  double confidence_on(Surface surface) const {
    return by_surface[static_cast<std::size_t>(surface)].confidence.value_or(confidence);
  }
  // Its matches count only together with others of its category.
  bool is_weak_on(Surface surface) const {
    return confidence_on(surface) <
           by_surface[static_cast<std::size_t>(surface)].alone.value_or(kStandsAlone);
  }
};

// 0.75; 0.6 on foreign content.
std::array<std::array<double, kSurfaceCount>, kCategoryCount> default_thresholds();

// All rules of all packs in load order; a rule is named by its index in `rules` from here on.
struct RuleSet {
  std::vector<Rule> rules;
  // How much weak evidence (Rule::is_weak_on()) of one category makes a detection,
  // by surface: 1 - product of (1 - confidence).
  std::array<std::array<double, kSurfaceCount>, kCategoryCount> thresholds = default_thresholds();
  std::string version;  // sha256 (hex) over name and content of every pack
  // Rules up to here are compiled apart from the rest, so that others with the same ones find them
  // compiled; 0 = all together.
  std::size_t shared_rules = 0;
};

// What hides a text from a plain reader; the outermost one where several are nested.
enum class Trick : std::uint8_t {
  kNone,  // nothing, or look-alike and invisible characters, which the normalised form sees through
  kBase64,
  kHex,
  kPercent,
  kEscape,  // \u0041, \x41, \101
  kEntity,  // &#65; &#x41; &lt;
  kBinary,
  kMorse,
  kGzip,
  kRot13,
  kReversed,
  kLeet,
  kBroken,  // breaks inside words: "ig-nore", "i g n o r e", "ig<b></b>nore"
};
// "none", "base64", ...
std::string_view name_of(Trick trick);

// One match in a scanned text.
struct Match {
  std::uint32_t rule = 0;    // index into Engine::rules()
  std::uint64_t offset = 0;  // bytes in the original text
  std::uint64_t length = 0;
  bool validated = false;  // the rule has validators and they passed (a match whose validators fail
                           // is not reported)
  bool encoded = false;    // found inside an encoded run: the span is the whole run
  Trick trick = Trick::kNone;  // what hid it

  bool operator==(const Match&) const = default;
};

}  // namespace aispm::detect
