// SPDX-License-Identifier: Apache-2.0
#include "sensor/detection_rules.hpp"

#include "sensor/behaviour/secret_engine.hpp"

namespace aispm::sensor {

Result<std::shared_ptr<const detect::Engine>> make_prompt_engine(const std::string& folder) {
  if (folder.empty()) return make_secret_engine();
  auto cache = open_rule_cache();
  return detect::Engine::open(folder, &cache);
}

}  // namespace aispm::sensor
