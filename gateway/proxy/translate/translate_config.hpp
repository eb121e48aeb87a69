// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/dialect.hpp"

namespace aispm {
class YamlMap;
}

namespace aispm::gateway {

// Of one provider: whom it serves besides clients of its own protocol, and under which names.
struct TranslateConfig {
  static constexpr std::size_t kMaxNames = 1024;

  std::vector<Dialect> serves;  // clients of these protocols, by translation
  std::map<std::string, std::string, std::less<>> model_names;  // as asked for: as sent
  std::string fallback_model;       // sent for any model that nothing here names; "" = as asked for
  std::uint64_t max_tokens = 4096;  // Anthropic: where a translated request gives none

  bool renames_nothing() const { return model_names.empty() && fallback_model.empty(); }
};

// What `provider` says of it. Errors are recorded there.
TranslateConfig read_translate(const YamlMap& provider, Dialect own);

// What a provider with these globs of `models` calls the model that a client asks for: its entry in
// `model_names`; else its own name, when a glob fits or there is no fallback; else the fallback.
std::string_view sent_model(const TranslateConfig& config, const std::vector<std::string>& models,
                            std::string_view asked);

}  // namespace aispm::gateway
