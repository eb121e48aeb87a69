// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/rego_decision.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "sdk/core/policy/strictness.hpp"

namespace aispm::policy {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, json::string_view key) {
  const json::value* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

void read_chunks(const json::object& object, RegoDecision& said) {
  const json::value* const value = object.if_contains("chunks");
  if (value == nullptr) return;
  boost::system::error_code error;
  const auto number = value->to_number<double>(error);
  said.has_unreadable_chunks = error || !(number >= 0);
  constexpr double kMost = 1e15;  // whole numbers are exact up to there
  if (!said.has_unreadable_chunks)
    said.chunks = static_cast<std::uint64_t>(std::floor(std::min(number, kMost)));
}

}  // namespace

RegoDecision ask_module(const Rego& rego, std::string_view module, std::string_view input) {
  using model::Outcome;
  const std::string name(module);
  const auto said = rego.evaluate("data.aispm." + name + ".decision", input);
  if (!said) return {Outcome::kDeny, name + ".error", "Rego: " + said.error().message, "", {}};
  boost::system::error_code error;
  const json::value document = json::parse(*said, error);
  const auto* const object = error ? nullptr : document.if_object();
  const auto outcome =
      object != nullptr ? model::parse_outcome(text_at(*object, "outcome")) : std::nullopt;
  if (!outcome || !is_decision(*outcome))
    return {Outcome::kDeny,
            name + ".undecided",
            "The Rego module " + name + " gave no decision",
            "",
            {}};
  std::string rule = text_at(*object, "rule");
  RegoDecision decision{*outcome, rule.empty() ? name : std::move(rule), text_at(*object, "reason"),
                        text_at(*object, "approver_role")};
  read_chunks(*object, decision);
  return decision;
}

}  // namespace aispm::policy
