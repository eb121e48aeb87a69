// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/proxy/limits/config_limits.hpp"
#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway {

// What models cost. The first that fits counts: of the same provider or of any, and of that name,
// or of that name with a date, "-latest" or Bedrock's version behind it. Immutable; any thread.
class PriceTable {
 public:
  explicit PriceTable(PriceConfig config);
  PriceTable(const PriceTable&) = delete;
  PriceTable& operator=(const PriceTable&) = delete;

  // Null: not known. Never means that it costs nothing.
  const Price* find(std::string_view provider, std::string_view model) const;
  bool empty() const { return config_.prices.empty(); }
  std::size_t size() const { return config_.prices.size(); }
  const PriceConfig& config() const { return config_; }

 private:
  const Price* first_of(std::string_view provider, std::string_view model) const;

  PriceConfig config_;
  std::unordered_map<std::string_view, std::vector<std::size_t>> names_;
  std::vector<std::pair<policy::Glob, std::size_t>> globs_;
};

// In billionths of a US dollar, rounded up; as much as fits where it is more.
std::uint64_t cost_of(const Price& price, const codec::Usage& usage);

// About as many tokens as a text of that many bytes has.
constexpr std::uint64_t estimate_tokens(std::uint64_t bytes) { return (bytes + 3) / 4; }
// Whether it is a picture, sound or file of a kind that is known by its first bytes, or that a
// data: URL names. Other base64 is text to limits: letters of its alphabet alone prove nothing.
bool is_media_file(const codec::TextPart& part);
// The same of all that a request says: texts, and for each picture, sound or file what they usually
// are.
std::uint64_t estimate_input(const codec::LlmRequest& request);

}  // namespace aispm::gateway
