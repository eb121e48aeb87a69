// SPDX-License-Identifier: Apache-2.0
#include "sensor/detection_rules.hpp"

#include "sdk/core/detect/pack.hpp"
#include "sensor/behaviour/builtin_rules.hpp"

namespace aispm::sensor {

Result<std::shared_ptr<const detect::Engine>> make_prompt_engine(const std::string& folder) {
  if (!folder.empty()) return detect::Engine::open(folder);
  AISPM_TRY(detect::RuleSet rules,
            detect::parse_rules(builtin_secret_rules(), "builtin/secrets.yaml"));
  return detect::Engine::compile(std::move(rules));
}

}  // namespace aispm::sensor
