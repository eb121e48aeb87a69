// SPDX-License-Identifier: Apache-2.0
#include "sandbox/greeting.hpp"

#include <sstream>

namespace aispm::sandbox {
namespace {

constexpr std::chrono::milliseconds kHelloTimeout{5000};

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// Rules that cannot be read hold nobody in: then nothing runs. `which`: "" for the run's own, "_1"
// for those of whom it runs for first.
Result<> read_rules(const std::string& answer, const std::string& which, std::string& policy,
                    std::optional<policy::SandboxRules>& to) {
  policy = find_json_text(answer, "policy" + which);
  const std::string digits = find_json_text(answer, "sandbox" + which);
  if (digits.empty()) return {};
  const auto text = policy::from_hex(digits);
  auto rules = text ? policy::SandboxRules::parse(*text, "sandbox.yaml")
                    : Result<policy::SandboxRules>(fail(Errc::kInvalid, "it is damaged"));
  if (!rules)
    return fail(Errc::kUnavailable,
                "the gateway's sandbox.yaml of policy " + policy +
                    " cannot be used: " + rules.error().message +
                    ". Nothing was started. Is aispm-run older than the gateway? Update it");
  to = std::move(*rules);
  return {};
}

// "SESSION AGENT SESSION AGENT"
Result<> read_parents(const std::string& answer, Greeting& greeting) {
  const std::vector<std::string> words = split_words(find_json_text(answer, "parents"));
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    Greeting::Parent parent;
    parent.agent_id = words[i + 1];
    parent.run = {words[i], words[i + 1].substr(words[i + 1].find('/') + 1)};
    AISPM_CHECK(read_rules(answer, "_" + std::to_string(i / 2 + 1), parent.policy, parent.rules));
    greeting.parents.push_back(std::move(parent));
  }
  return {};
}

}  // namespace

Result<Greeting> greet_gateway(const GatewayLink& link, const std::string& socket) {
  auto answer = link.call("GET", "/aispm/v1/hello", "", kHelloTimeout);
  // It is there and refuses: its own words say why.
  if (!answer && answer.error().code == Errc::kInvalid)
    return fail(Errc::kUnavailable, answer.error().message + ". Nothing was started");
  if (!answer)
    return fail(Errc::kUnavailable,
                answer.error().message +
                    ". Nothing was started: an agent runs only behind its gateway. Start it " +
                    "(./dev up), name its socket with --gateway (now " + socket +
                    "), or use --offline for no network at all");
  Greeting greeting;
  greeting.agent_id = find_json_text(*answer, "agent_id");
  greeting.gateway_hosts = split_words(find_json_text(*answer, "hosts"));
  greeting.dialects = split_words(find_json_text(*answer, "dialects"));
  for (const auto& word : split_words(find_json_text(*answer, "egress")))
    if (auto rule = parse_host_rule(word)) greeting.permitted.push_back(std::move(*rule));
  if (greeting.dialects.empty()) greeting.dialects = {"openai", "anthropic"};
  if (greeting.agent_id.empty())
    return fail(
        Errc::kInvalid,
        "the gateway's greeting names no agent_id: is this an aispm-gateway of another version?");
  AISPM_CHECK(read_rules(*answer, "", greeting.policy, greeting.rules));
  AISPM_CHECK(read_parents(*answer, greeting));
  return greeting;
}

}  // namespace aispm::sandbox
