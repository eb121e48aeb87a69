// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/use_modules.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <string>

namespace aispm::policy {
namespace {

namespace json = boost::json;
using model::Outcome;

constexpr std::array<std::string_view, 4> kPackages = {
    "data.aispm.write_approval", "data.aispm.memory", "data.aispm.retrieval", "data.aispm.egress"};

json::object object_of(std::string_view base) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(base.data(), base.size()), error);
  return error || !value.is_object() ? json::object() : std::move(value.get_object());
}

RegoDecision ask_memory(const Rego& rego, std::string_view base, const MemoryUse& use) {
  json::object input = object_of(base);
  input["memory"] = {{"operation", std::string(use.operation)}, {"kind", std::string(use.kind)}};
  return ask_module(rego, "memory", json::serialize(input));
}

}  // namespace

bool has_use_modules(const Rego& rego) {
  return std::any_of(kPackages.begin(), kPackages.end(),
                     [&](std::string_view package) { return rego.has_package(package); });
}

RegoDecision ask_retrieval(const Rego& rego, std::string_view base, std::string_view place,
                           std::uint64_t wanted) {
  json::object input = object_of(base);
  // Prompts' facts have its trust in the same place.
  json::value& retrieval = input["retrieval"];
  if (!retrieval.is_object()) retrieval.emplace_object();
  retrieval.get_object()["namespace"] = std::string(place);
  retrieval.get_object()["wanted"] = wanted;
  RegoDecision said = ask_module(rego, "retrieval", json::serialize(input));
  if (said.outcome == Outcome::kDeny) return said;
  if (said.has_unreadable_chunks)
    return {Outcome::kDeny,
            "retrieval.undecided",
            "The Rego module retrieval gave `chunks` that are no number from 0 on",
            "",
            {}};
  if (!said.chunks || *said.chunks >= wanted) return said;
  return {Outcome::kDeny,
          "retrieval.chunks",
          said.reason + ", and " + std::to_string(wanted) + " are wanted",
          "",
          {}};
}

RegoDecision ask_egress(const Rego& rego, std::string_view base, std::string_view host) {
  json::object input = object_of(base);
  input["egress"] = {{"host", std::string(host)}};
  return ask_module(rego, "egress", json::serialize(input));
}

std::vector<RegoDecision> ask_use_modules(const Rego& rego, const ToolUse& use,
                                          std::string_view base) {
  std::vector<RegoDecision> said;
  const auto goes_on = [&] { return said.empty() || said.back().outcome != Outcome::kDeny; };
  if (rego.has_package("data.aispm.memory") && use.memory)
    said.push_back(ask_memory(rego, base, *use.memory));
  if (rego.has_package("data.aispm.retrieval") && use.retrieval && goes_on())
    said.push_back(ask_retrieval(rego, base, use.retrieval->place, use.retrieval->wanted));
  if (rego.has_package("data.aispm.egress")) {
    if (use.has_unreadable_host && goes_on())
      said.push_back({Outcome::kDeny,
                      "egress.unreadable",
                      "A host among the arguments cannot be told, or there are more than " +
                          std::to_string(ToolUse::kMaxHosts),
                      "",
                      {}});
    for (const std::string& host : use.hosts)
      if (goes_on()) said.push_back(ask_egress(rego, base, host));
  }
  if (rego.has_package("data.aispm.write_approval") && use.writes && goes_on())
    said.push_back(ask_module(rego, "write_approval", base));
  return said;
}

}  // namespace aispm::policy
