// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/proxy/translate/translate_config.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {
namespace {

void read_serves(const YamlMap& provider, Dialect own, TranslateConfig& config) {
  for (const std::string& name : provider.texts("serves")) {
    bool known = false;
    for (const Dialect dialect :
         {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kOllama, Dialect::kGemini}) {
      if (name != name_of(dialect)) continue;
      known = true;
      if (dialect != own) config.serves.push_back(dialect);  // its own it serves anyway
    }
    if (!known)
      provider.reject("serves", "'" + name + "'; allowed: openai, anthropic, ollama, gemini");
  }
}

void read_names(const YamlMap& provider, TranslateConfig& config) {
  const YamlMap names = provider.map("model_names");
  for (const std::string& asked : names.keys()) {
    const std::string sent = names.required_text(asked);
    if (sent.empty()) names.reject(asked, "the name that is sent is empty");
    if (asked.size() > codec::kMaxNameBytes || sent.size() > codec::kMaxNameBytes)
      names.reject(asked, "a model's name of more than 256 bytes");
    config.model_names.emplace(asked, sent);
  }
  if (config.model_names.size() > TranslateConfig::kMaxNames)
    provider.reject("model_names", "more than 1024 names");
  config.fallback_model = provider.text("fallback_model", "");
  if (config.fallback_model.size() > codec::kMaxNameBytes)
    provider.reject("fallback_model", "a model's name of more than 256 bytes");
}

}  // namespace

TranslateConfig read_translate(const YamlMap& provider, Dialect own) {
  TranslateConfig config;
  read_serves(provider, own, config);
  read_names(provider, config);
  config.max_tokens =
      static_cast<std::uint64_t>(provider.integer("max_tokens", 4096, {1, 1'000'000}));
  if (provider.has("max_tokens") && own != Dialect::kAnthropic)
    provider.reject("max_tokens", "only for `dialect: anthropic`, which needs a number");
  return config;
}

std::string_view sent_model(const TranslateConfig& config, const std::vector<std::string>& models,
                            std::string_view asked) {
  if (const auto named = config.model_names.find(asked); named != config.model_names.end())
    return named->second;
  if (config.fallback_model.empty()) return asked;
  const bool is_own = std::any_of(models.begin(), models.end(), [&](const std::string& glob) {
    return policy::glob_matches(glob, asked);
  });
  return is_own ? asked : std::string_view(config.fallback_model);
}

}  // namespace aispm::gateway
