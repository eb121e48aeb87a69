// SPDX-License-Identifier: Apache-2.0
#include "sdk/cpp/aispm.h"

#include <boost/json.hpp>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/bundle_judge.hpp"
#include "sdk/core/policy/registry_load.hpp"

struct aispm_policy {
  std::shared_ptr<const aispm::policy::Bundle> bundle;
};

namespace {

namespace json = boost::json;
using namespace aispm;

constexpr std::size_t kMaxKeys = 64;
constexpr std::size_t kMaxActionBytes = 2U << 20;
constexpr std::size_t kMaxLineBytes = 1U << 20;

char* copy(std::string_view text) noexcept {
  auto* const out = static_cast<char*>(std::malloc(text.size() + 1));
  if (out == nullptr) return nullptr;
  std::memcpy(out, text.data(), text.size());
  out[text.size()] = '\0';
  return out;
}

char* answer(model::Outcome outcome, std::string_view rule, std::string_view reason,
             json::object more) {
  more["outcome"] = model::name_of(outcome);
  more["rule"] = rule;
  more["reason"] = reason;
  return copy(json::serialize(more));
}

char* denial(std::string_view rule, std::string_view reason) {
  return answer(model::Outcome::kDeny, rule, reason, {});
}

char* decide(const policy::Bundle& bundle, std::string_view action) {
  if (action.size() > kMaxActionBytes) return denial("action.unreadable", "The action is too long");
  auto asked = policy::ActionJson::parse(action);
  if (!asked) return denial("action.unreadable", asked.error().message);
  const policy::BundleDecision said =
      policy::judge_by_bundle(bundle, std::move(*asked), wall_now());
  return answer(said.outcome, said.rule_id, said.reason,
                {{"approver_role", said.approver_role}, {"policy_version", bundle.version()}});
}

char* command(const policy::Bundle& bundle, std::string_view line) {
  if (line.size() > kMaxLineBytes) return denial("command.unreadable", "The line is too long");
  if (bundle.commands() == nullptr)
    return denial("bundle.silent", "The bundle says nothing about commands");
  const policy::CommandVerdict said = bundle.commands()->judge(line);
  return answer(said.outcome, said.rule_id.empty() ? "defaults" : said.rule_id, said.reason,
                {{"command", said.command}, {"policy_version", bundle.version()}});
}

// Where the engine itself failed: of memory nothing but the copy is asked for.
char* engine_failed() noexcept {
  return copy(R"({"outcome":"deny","rule":"engine.error","reason":"The engine failed"})");
}

}  // namespace

// No exception leaves: the caller may be written in any language.
extern "C" {

aispm_policy* aispm_policy_open(const char* folder, const char* const* keys, size_t key_count,
                                char** error) {
  return aispm_policy_open_with_registry(folder, "", keys, key_count, error);
}

aispm_policy* aispm_policy_open_with_registry(const char* folder, const char* registry,
                                              const char* const* keys, size_t key_count,
                                              char** error) {
  if (error != nullptr) *error = nullptr;
  const auto complain = [&](std::string_view what) -> aispm_policy* {
    if (error != nullptr) *error = copy(what);
    return nullptr;
  };
  try {
    if (folder == nullptr || registry == nullptr || (keys == nullptr && key_count > 0))
      return complain("a pointer is null");
    if (key_count > kMaxKeys) return complain("more than 64 keys");
    policy::BundleOptions options;
    options.must_be_signed = key_count > 0;
    for (std::size_t i = 0; i < key_count; ++i) {
      if (keys[i] == nullptr) return complain("a pointer is null");
      options.trusted_keys.emplace_back(keys[i]);
    }
    auto bundle = policy::load_with_registry(folder, registry, std::move(options));
    if (!bundle) return complain(bundle.error().message);
    return new aispm_policy{std::move(*bundle)};
  } catch (const std::exception& problem) {
    return complain(problem.what());
  } catch (...) {
    return complain("the engine failed");
  }
}

void aispm_policy_close(aispm_policy* policy) { delete policy; }

const char* aispm_policy_version(const aispm_policy* policy) {
  return policy == nullptr ? "" : policy->bundle->version().c_str();
}

char* aispm_policy_decide(const aispm_policy* policy, const char* action, size_t size) {
  try {
    if (policy == nullptr || action == nullptr)
      return denial("action.unreadable", "A pointer is null");
    return decide(*policy->bundle, {action, size});
  } catch (...) {
    return engine_failed();
  }
}

char* aispm_policy_command(const aispm_policy* policy, const char* line, size_t size) {
  try {
    if (policy == nullptr || line == nullptr)
      return denial("command.unreadable", "A pointer is null");
    return command(*policy->bundle, {line, size});
  } catch (...) {
    return engine_failed();
  }
}

void aispm_text_free(char* text) { std::free(text); }

}  // extern "C"
