// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sdk/core/detect/redact.hpp"

namespace aispm::detect {

// The packs as shipped, opened once for the whole test program; compiled by the test
// `detect_cache`, which runs before, else now.
inline std::shared_ptr<const Engine> shipped_engine() {
  static const std::shared_ptr<const Engine> engine = [] {
    auto cache = DatabaseCache::open(std::string(AISPM_BIN_DIR) + "/../cache");
    auto opened =
        Engine::open(std::string(AISPM_SOURCE_DIR) + "/policies/detect", cache ? &*cache : nullptr);
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *opened : nullptr;
  }();
  return engine;
}

// An engine from the `rules:` lines of one pack.
inline std::shared_ptr<const Engine> engine_of(const std::string& rules,
                                               const std::string& category = "secret") {
  auto parsed =
      parse_rules("pack: test\ncategory: " + category + "\nrules:\n" + rules, "test.yaml");
  if (!parsed) {
    ADD_FAILURE() << parsed.error().message;
    return nullptr;
  }
  auto engine = Engine::compile(std::move(*parsed));
  if (!engine) ADD_FAILURE() << engine.error().message;
  return engine ? *engine : nullptr;
}

// One rule line of YAML; `extra` holds further keys such as "not_after: '\\w', max_bytes: 20".
inline std::string rule_line(const std::string& id, const std::string& pattern,
                             const std::string& extra = "") {
  return "  - {id: " + id + ", patterns: ['" + pattern + "'], message: m, hits: [h], misses: [m]" +
         (extra.empty() ? "" : ", " + extra) + "}\n";
}

inline std::vector<Match> scan(const Engine& engine, std::string_view text,
                               Surface surface = Surface::kReply) {
  auto scratch = engine.make_scratch();
  std::vector<Match> matches;
  if (!scratch) {
    ADD_FAILURE() << scratch.error().message;
    return matches;
  }
  if (auto scanned = engine.scan(text, surface, *scratch, matches); !scanned)
    ADD_FAILURE() << scanned.error().message;
  return matches;
}

// Every rule of `engine` with the same outcome.
inline std::shared_ptr<const Outcomes> all_rules(const Engine& engine, model::Outcome outcome) {
  return std::make_shared<Outcomes>(engine.rules().size(), outcome);
}

inline std::string redacted(const Engine& engine, std::string_view text, const Outcomes& outcomes,
                            Surface surface = Surface::kReply) {
  std::string out;
  redact(engine.rules(), text, scan(engine, text, surface), outcomes, out);
  return out;
}

}  // namespace aispm::detect
