// SPDX-License-Identifier: Apache-2.0
// Any text as a rule pack, and as detect.yaml of a bundle: parse, compile, scan; nothing but a
// Result may come out.
#include <cstdint>
#include <string>
#include <utility>

#include "sdk/core/detect/automata.hpp"
#include "sdk/core/detect/bundle_rules.hpp"
#include "sdk/core/detect/compile_jobs.hpp"
#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/pack.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  aispm::detect::RuleSet additions;
  const auto added = aispm::detect::add_bundle_rules(content, "detect.yaml", additions);
  if (!added && added.error().message.empty()) __builtin_trap();
  const auto rules = aispm::detect::parse_rules(content, "fuzz.yaml");
  if (!rules)
    return rules.error().message.empty() ? __builtin_trap(), 0 : 0;  // every error says something
  const auto sources = aispm::detect::Automata::sources(rules->rules);
  auto compiled = aispm::detect::DatabaseCache().make(rules->rules, {{}, sources});
  if (compiled) (void)aispm::detect::Automata::make(rules->rules, std::move(compiled->automata));
  return 0;
}
