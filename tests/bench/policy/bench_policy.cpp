// SPDX-License-Identifier: Apache-2.0
// Cost of one decision by each part of a bundle, as JSON lines. bench_policy_peers.py runs it
// beside opa.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace {

using namespace aispm;
using namespace aispm::policy;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRules = 1000;
constexpr std::size_t kRounds = 41;

void print(const char* name, double value, const char* unit, double target, bool is_least) {
  const bool ok = is_least ? value >= target : value <= target;
  if (target > 0)
    std::printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"target\":%.6g,\"ok\":%s}\n",
                name, value, unit, target, ok ? "true" : "false");
  else
    std::printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"target\":null,\"ok\":null}\n",
                name, value, unit);
}

double seconds_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// Rules over tools by their names, each with conditions of its own. `unnamed`: of ten rules two are
// globs instead, and one holds for any tool.
std::string rules_text(std::size_t count, bool unnamed) {
  std::string text = "defaults: {outcome: deny}\nrules:\n";
  for (std::size_t i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    const std::string tool = !unnamed || i % 10 < 7 ? "tool_" + n
                             : i % 10 < 9           ? "group_" + n + ".*"
                                                    : "";
    text += "  - {id: r" + n + ", match: {" + (tool.empty() ? "" : "tool: '" + tool + "', ") +
            "environment: prod, roles: [role_" + std::to_string(i % 7) +
            "]}, when: {tool_args_match: {amount: {gt: " + n + "}}}, outcome: require_approval}\n";
  }
  return text;
}

std::shared_ptr<const ActionPolicy> compile(std::size_t count, bool unnamed) {
  auto policy = ActionPolicy::parse(rules_text(count, unnamed), "bench");
  if (!policy) {
    std::fprintf(stderr, "%s\n", policy.error().message.c_str());
    std::exit(1);
  }
  return *policy;
}

void bench_native(const std::string& name, bool unnamed, double target) {
  const auto policy = compile(kRules, unnamed);
  const std::vector<std::string> roles = {"role_3"};
  const auto arguments =
      Arguments::parse(R"({"amount": 300, "currency": "EUR", "to": "x@example.com"})");
  std::vector<std::string> tools;
  for (std::size_t i = 0; i < 256; ++i)
    tools.push_back((i % 2 == 0 ? "tool_" : "other_") + std::to_string(i * 37 % kRules));
  std::size_t matched = 0;
  std::vector<double> rates;
  constexpr std::size_t kCalls = 40'000;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const double seconds = seconds_of([&] {
      for (std::size_t i = 0; i < kCalls; ++i)
        matched += policy
                       ->decide({.tool = tools[i % tools.size()],
                                 .roles = roles,
                                 .environment = "prod",
                                 .arguments = &*arguments},
                                {1})
                       .outcome != model::Outcome::kDeny;
    });
    rates.push_back(kCalls / seconds);
  }
  if (matched == 0) std::abort();
  print(("native." + name).c_str(), median(rates), "1/s", target, true);
  print(("native." + name + ".best").c_str(), *std::max_element(rates.begin(), rates.end()), "1/s",
        0, true);
}

// Microseconds of single calls.
void print_latency(const std::string& name, std::size_t calls, double target_p99,
                   const std::function<void()>& work) {
  for (std::size_t i = 0; i < calls / 10; ++i) work();
  std::vector<double> times;
  for (std::size_t i = 0; i < calls; ++i) times.push_back(seconds_of(work) * 1e6);
  std::sort(times.begin(), times.end());
  print((name + ".p50").c_str(), times[calls / 2], "us", 0, false);
  print((name + ".p99").c_str(), times[calls * 99 / 100], "us", target_p99, false);
}

void bench_tools() {
  const auto gate = ToolGate::parse("roles: {viewer: ['*']}\n", "");
  if (!gate) std::exit(1);
  const std::vector<std::string> roles = {"viewer"};
  const std::vector<std::string> scopes = {"gmail:send"};
  const Action action{.tool = "gmail.send", .roles = roles};
  const ToolState state{.posture = 0.1, .scopes = scopes, .intent = "send mail"};
  if (!gate->judge(action, state).rule_id.empty()) std::abort();
  std::vector<double> rates;
  constexpr std::size_t kCalls = 40'000;
  for (std::size_t round = 0; round < kRounds; ++round)
    rates.push_back(kCalls / seconds_of([&] {
                      for (std::size_t i = 0; i < kCalls; ++i)
                        if (!gate->judge(action, state).rule_id.empty()) std::abort();
                    }));
  print("tools.decisions_per_second", median(rates), "1/s", 0, true);
  ToolUsage usage;
  std::uint64_t now = 1;
  print_latency("tools.count", 20'000, 0, [&] {
    usage.count(gate->limits(), {"t", "agent", "session", "gmail.send"}, false,
                {now += 4'000'000'000});
  });
}

void bench_rego() {
  std::vector<RegoModule> modules;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(AISPM_SOURCE_DIR) + "/policies/rego")) {
    if (entry.path().extension() != ".rego") continue;
    if (auto text = read_file(entry.path(), 1U << 20))
      modules.push_back({entry.path().filename(), std::move(*text)});
  }
  const auto rego = Rego::compile(modules, "{}");
  if (!rego) std::exit(1);
  const std::string input =
      R"({"tool": {"name": "gmail.send"}, "scopes": ["gmail:send"], "posture": 0.1, "signals": [], "intent": "send mail"})";
  print_latency("rego.tools", 20'000, 50, [&] {
    const auto said = rego->evaluate("data.aispm.tools.decision", input);
    if (!said || said->find("tools.allow") == std::string::npos) std::abort();
  });
}

void bench_commands() {
  const auto governor = CommandGovernor::compile(
      {{"a", "npm test", model::Outcome::kAllow, ""}, {"b", "rm -rf *", model::Outcome::kDeny, ""}},
      model::Outcome::kDeny);
  if (!governor) std::exit(1);
  print_latency("commands", 5'000, 0, [&] {
    if (governor->judge("npm test && rm -r -f /").rule_id != "b") std::abort();
  });
}

}  // namespace

int main() {
  bench_native("decisions_per_second_1000_rules", false, 1e6);
  bench_native("decisions_per_second_1000_rules_300_unnamed", true, 0);
  bench_tools();
  bench_rego();
  bench_commands();
  return 0;
}
