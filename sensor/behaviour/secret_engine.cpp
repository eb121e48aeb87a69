// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/secret_engine.hpp"

#include "sdk/core/common/log.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sensor/behaviour/builtin_rules.hpp"

namespace aispm::sensor {

detect::DatabaseCache open_rule_cache() {
  auto cache = detect::DatabaseCache::open(detect::usual_cache_folder("sensord"));
  if (cache) return std::move(*cache);
  log::warn("rules.not_cached", {{"reason", cache.error().message}});
  return {};
}

Result<std::shared_ptr<const detect::Engine>> make_secret_engine() {
  AISPM_TRY(detect::RuleSet rules,
            detect::parse_rules(builtin_secret_rules(), "builtin/secrets.yaml"));
  auto cache = open_rule_cache();
  return detect::Engine::compile(std::move(rules), &cache);
}

}  // namespace aispm::sensor
