// SPDX-License-Identifier: Apache-2.0
// Guardrails as operators send them and as they are kept.
#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>

#include "gateway/proxy/observe/guardrails.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kTypes = {"regex", "keyword", "threshold"};
constexpr std::array<std::string_view, 3> kActions = {"block", "redact", "warn"};
constexpr std::array<std::string_view, 3> kDirections = {"input", "output", "both"};
constexpr std::array<std::string_view, 5> kSeverities = {"info", "low", "medium", "high",
                                                         "critical"};
constexpr std::size_t kIdBytes = 12;

// Reads the members of one object; the first error counts, and a member that nobody asked for is
// one.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  std::string text(std::string_view name, std::size_t limit, std::string fallback = {}) {
    const auto* value = take(name);
    if (value == nullptr) return fallback;
    if (!value->is_string() || value->get_string().size() > limit)
      return reject(name, "a string of at most " + std::to_string(limit) + " bytes"), "";
    return std::string(std::string_view(value->get_string()));
  }
  template <std::size_t N>
  std::string word(std::string_view name, const std::array<std::string_view, N>& words,
                   std::string fallback) {
    const std::string said = text(name, 32, std::move(fallback));
    if (std::find(words.begin(), words.end(), said) != words.end()) return said;
    std::string allowed;
    for (const std::string_view one : words)
      allowed.append(allowed.empty() ? "" : ", ").append(one);
    return reject(name, "allowed is " + allowed), "";
  }
  bool flag(std::string_view name, bool fallback) {
    const auto* value = take(name);
    if (value == nullptr) return fallback;
    if (!value->is_bool()) return reject(name, "true or false"), false;
    return value->get_bool();
  }
  double share(std::string_view name) {
    const auto* value = take(name);
    boost::system::error_code error;
    const double number = value ? value->to_number<double>(error) : -1;
    if (value == nullptr || error || !(number >= 0 && number <= 1))
      return reject(name, "a number from 0 to 1"), 0;
    return number;
  }
  std::vector<std::string> texts(std::string_view name, std::size_t most, std::size_t limit) {
    std::vector<std::string> list;
    const auto* value = take(name);
    const bool is_list = value && value->is_array() && !value->get_array().empty() &&
                         value->get_array().size() <= most;
    if (!is_list) return reject(name, "a list of 1 to " + std::to_string(most) + " words"), list;
    for (const json::value& one : value->get_array()) {
      if (!one.is_string() || one.get_string().empty() || one.get_string().size() > limit)
        return reject(name, "each a string of 1 to " + std::to_string(limit) + " bytes"), list;
      list.emplace_back(std::string_view(one.get_string()));
    }
    return list;
  }
  std::int64_t whole(std::string_view name) {
    const auto* value = take(name);
    boost::system::error_code error;
    const auto number = value ? value->to_number<std::int64_t>(error) : 0;
    if (error) reject(name, "a whole number");
    return number;
  }
  bool has(std::string_view name) const { return object_.contains(name); }
  void reject(std::string_view name, const std::string& what) {
    if (problem_.empty()) problem_ = std::string(name) + ": " + what;
  }
  Result<> finish() {
    for (const auto& member : object_)
      if (std::find(taken_.begin(), taken_.end(), member.key()) == taken_.end())
        reject(std::string_view(member.key()).substr(0, 32), "is not known here");
    if (problem_.empty()) return {};
    return fail(Errc::kInvalid, problem_);
  }

 private:
  const json::value* take(std::string_view name) {
    taken_.push_back(name);
    return object_.if_contains(name);
  }
  const json::object& object_;
  std::vector<std::string_view> taken_;
  std::string problem_;
};

void read_kind(Members& members, Guardrail& guardrail) {
  const std::string type = members.word("type", kTypes, "");
  if (type == "regex") {
    guardrail.type = GuardrailType::kRegex;
    guardrail.pattern = members.text("pattern", Guardrail::kMaxTextBytes);
    guardrail.example = members.text("example", Guardrail::kMaxTextBytes);
    if (guardrail.pattern.empty()) members.reject("pattern", "is needed");
    if (guardrail.example.empty())
      members.reject("example", "is needed: a text in which the pattern is found, as a proof");
    guardrail.caseless = members.flag("caseless", false);
  } else if (type == "keyword") {
    guardrail.type = GuardrailType::kKeyword;
    guardrail.keywords =
        members.texts("keywords", Guardrail::kMaxKeywords, Guardrail::kMaxNameBytes);
    guardrail.caseless = members.flag("caseless", true);
  } else if (type == "threshold") {
    guardrail.type = GuardrailType::kThreshold;
    guardrail.category = members.text("category", 64);
    guardrail.rule = members.text("rule", Guardrail::kMaxNameBytes);
    guardrail.threshold = members.share("threshold");
    if (guardrail.category.empty() == guardrail.rule.empty())
      members.reject("category", "give either category or rule (a glob over rules' ids)");
    else if (!guardrail.category.empty() && !detect::parse_category(guardrail.category))
      members.reject("category", "allowed is one of " + detect::category_words());
  }
}

Result<Guardrail> read_object(const json::value& value, bool is_kept) {
  const auto* object = value.if_object();
  if (object == nullptr) return fail(Errc::kInvalid, "a guardrail must be a JSON object");
  Members members(*object);
  Guardrail guardrail;
  guardrail.name = members.text("name", Guardrail::kMaxNameBytes);
  if (guardrail.name.empty()) members.reject("name", "is needed: it stands in refusals");
  for (const char c : guardrail.name)
    if (static_cast<unsigned char>(c) < ' ') members.reject("name", "without control characters");
  read_kind(members, guardrail);
  guardrail.action = members.word("action", kActions, "block");
  guardrail.applies_to = members.word("applies_to", kDirections, "both");
  guardrail.severity = members.word("severity", kSeverities, "high");
  guardrail.enabled = members.flag("enabled", true);
  if (is_kept) {
    guardrail.id = members.text("id", kIdBytes);
    guardrail.created = WallTime{members.whole("created_ns")};
    guardrail.updated = WallTime{members.whole("updated_ns")};
    (void)members.text("created", 64);
    (void)members.text("updated", 64);
    const bool is_id = guardrail.id.size() == kIdBytes &&
                       guardrail.id.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!is_id) members.reject("id", "12 hex digits");
  }
  AISPM_CHECK(members.finish());
  return guardrail;
}

json::object to_json(const Guardrail& guardrail) {
  json::object out{{"id", guardrail.id},
                   {"name", guardrail.name},
                   {"type", kTypes[static_cast<std::size_t>(guardrail.type)]}};
  switch (guardrail.type) {
    case GuardrailType::kRegex:
      out["pattern"] = guardrail.pattern;
      out["example"] = guardrail.example;
      out["caseless"] = guardrail.caseless;
      break;
    case GuardrailType::kKeyword:
      out["keywords"] = json::array(guardrail.keywords.begin(), guardrail.keywords.end());
      out["caseless"] = guardrail.caseless;
      break;
    case GuardrailType::kThreshold:
      if (guardrail.category.empty())
        out["rule"] = guardrail.rule;
      else
        out["category"] = guardrail.category;
      out["threshold"] = guardrail.threshold;
      break;
  }
  out["action"] = guardrail.action;
  out["applies_to"] = guardrail.applies_to;
  out["severity"] = guardrail.severity;
  out["enabled"] = guardrail.enabled;
  out["created"] = to_rfc3339(guardrail.created);
  out["updated"] = to_rfc3339(guardrail.updated);
  out["created_ns"] = guardrail.created.nanoseconds;
  out["updated_ns"] = guardrail.updated.nanoseconds;
  return out;
}

}  // namespace

Result<Guardrail> read_guardrail(std::string_view body) {
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return fail(Errc::kInvalid, "not JSON: " + error.message());
  return read_object(document, false);
}

std::string guardrail_json(const Guardrail& guardrail) {
  return json::serialize(to_json(guardrail));
}

std::string guardrail_list_json(const std::vector<Guardrail>& guardrails) {
  json::array list;
  for (const Guardrail& guardrail : guardrails) list.push_back(to_json(guardrail));
  return json::serialize(
      json::object{{"total", guardrails.size()}, {"guardrails", std::move(list)}});
}

Result<std::vector<Guardrail>> read_guardrail_list(std::string_view body) {
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), error);
  const auto* object = error ? nullptr : document.if_object();
  const auto* list = object ? object->if_contains("guardrails") : nullptr;
  if (list == nullptr || !list->is_array() || list->get_array().size() > Guardrail::kMaxPerTenant)
    return fail(Errc::kInvalid, "not a list of at most 256 guardrails");
  std::vector<Guardrail> guardrails;
  for (const json::value& one : list->get_array()) {
    AISPM_TRY(Guardrail guardrail, read_object(one, true));
    guardrails.push_back(std::move(guardrail));
  }
  return guardrails;
}

}  // namespace aispm::gateway
