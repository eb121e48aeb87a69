// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/translate/translate_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sdk/core/common/yaml.hpp"

namespace aispm::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Whom a provider of that dialect serves with this configuration, or what is wrong with it.
Result<TranslateConfig> read(const std::string& yaml, Dialect own) {
  AISPM_TRY(const YamlMap map, YamlMap::parse(yaml, "gateway.yaml"));
  TranslateConfig config = read_translate(map, own);
  AISPM_CHECK(map.finish());
  return config;
}

TEST(TranslateConfig, NamesWhomAProviderServesAndUnderWhichNames) {
  const auto config = read(
      "serves: [openai, anthropic, ollama]\nmodel_names: {gpt-4o: claude-sonnet-4-5, 'a:b': c}\n"
      "fallback_model: d\nmax_tokens: 9\n",
      Dialect::kAnthropic);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->serves, ElementsAre(Dialect::kOpenAi, Dialect::kOllama));  // and its own
  EXPECT_EQ(sent_model(*config, {}, "gpt-4o"), "claude-sonnet-4-5");
  EXPECT_EQ(sent_model(*config, {}, "a:b"), "c");
  EXPECT_EQ(config->fallback_model, "d");
  EXPECT_EQ(config->max_tokens, 9U);
  EXPECT_FALSE(config->renames_nothing());
}

TEST(TranslateConfig, ServesNobodyElseUnlessToldTo) {
  const auto config = read("{}", Dialect::kOpenAi);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->serves.empty());
  EXPECT_TRUE(config->renames_nothing());
}

TEST(TranslateConfig, SaysWhereItIsWrong) {
  const auto error = [](const std::string& yaml, Dialect own) {
    const auto config = read(yaml, own);
    return config ? std::string("accepted") : config.error().message;
  };
  EXPECT_THAT(error("serves: [cohere]", Dialect::kOpenAi),
              HasSubstr("gateway.yaml:1: serves: 'cohere'; allowed: openai, anthropic, ollama"));
  EXPECT_THAT(error("max_tokens: 9", Dialect::kOllama), HasSubstr("dialect: anthropic"));
  EXPECT_THAT(error("max_tokens: 0", Dialect::kAnthropic), HasSubstr("max_tokens"));
  EXPECT_THAT(error("model_names: {a: ''}", Dialect::kOpenAi), HasSubstr("is empty"));
  EXPECT_THAT(error("model_names: {a: " + std::string(257, 'x') + "}", Dialect::kOpenAi),
              HasSubstr("256 bytes"));
  EXPECT_THAT(error("fallback_model: " + std::string(257, 'x'), Dialect::kOpenAi),
              HasSubstr("256 bytes"));
}

}  // namespace
}  // namespace aispm::gateway
