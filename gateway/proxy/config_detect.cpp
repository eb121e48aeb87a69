// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/config_detect.hpp"

namespace aispm::gateway {
namespace {

void read_inspection(const YamlMap& map, detect::InspectOptions& inspect) {
  const YamlMap layers = map.map("layers");
  const YamlMap budgets = map.map("budgets");
  for (std::size_t i = 0; i < detect::kLayerCount; ++i) {
    const std::string name(detect::name_of(static_cast<detect::Layer>(i)));
    inspect.layers[i] = layers.flag(name, true);
    inspect.budgets[i] = budgets.duration(
        name, std::chrono::duration_cast<std::chrono::milliseconds>(inspect.budgets[i]));
  }
  inspect.total = budgets.duration(
      "total", std::chrono::duration_cast<std::chrono::milliseconds>(inspect.total));
}

}  // namespace

DetectConfig read_detect(const YamlMap& map) {
  DetectConfig config;
  read_inspection(map, config.inspect);
  return config;
}

}  // namespace aispm::gateway
