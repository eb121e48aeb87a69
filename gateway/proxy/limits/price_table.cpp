// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/limits/price_table.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/codec/base64.hpp"

namespace aispm::gateway {
namespace {

constexpr std::uint64_t kMediaTokens = 1000;
// Of a message beside its words: its role and what parts it from the next.
constexpr std::uint64_t kMessageTokens = 4;

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "gpt-4o-2024-08-06", "claude-sonnet-4-20250514", "...@20250514", "...-latest": the name before.
std::string_view undated(std::string_view model) {
  constexpr std::string_view kLatest = "-latest";
  if (model.ends_with(kLatest)) return model.substr(0, model.size() - kLatest.size());
  constexpr std::size_t kShort = 9;  // -20250514
  constexpr std::size_t kLong = 11;  // -2024-08-06
  if (model.size() > kShort) {
    const std::string_view end = model.substr(model.size() - kShort);
    if ((end.front() == '-' || end.front() == '@') && is_digits(end.substr(1)))
      return model.substr(0, model.size() - kShort);
  }
  if (model.size() > kLong) {
    const std::string_view end = model.substr(model.size() - kLong);
    if (end[0] == '-' && is_digits(end.substr(1, 4)) && end[5] == '-' &&
        is_digits(end.substr(6, 2)) && end[8] == '-' && is_digits(end.substr(9)))
      return model.substr(0, model.size() - kLong);
  }
  return model;
}

// How pictures, sounds, films and documents begin: PNG, JPEG, GIF, TIFF, WebP and WAV, MP3, Ogg,
// FLAC, WebM, PDF, what is zipped (docx, ...).
using namespace std::string_view_literals;
constexpr std::array kFileHeads = {"\x89PNG"sv, "\xff\xd8\xff"sv, "GIF8"sv,  "RIFF"sv,
                                   "ID3"sv,     "OggS"sv,         "fLaC"sv,  "\x1a\x45\xdf\xa3"sv,
                                   "%PDF"sv,    "PK\x03\x04"sv,   "II*\0"sv, "MM\0*"sv};
constexpr std::array kUrlTypes = {"data:image/"sv, "data:audio/"sv, "data:video/"sv,
                                  "data:application/pdf;"sv};

bool starts_as_file(std::string_view base64) {
  constexpr std::size_t kHeadLetters = 16;  // of 12 bytes
  std::string head(base64.substr(0, kHeadLetters));
  std::replace(head.begin(), head.end(), '-', '+');
  std::replace(head.begin(), head.end(), '_', '/');
  const auto bytes = codec::base64_decode(head);
  if (!bytes) return false;
  const std::string_view begin = *bytes;
  const auto is_head = [&](std::string_view one) { return begin.starts_with(one); };
  if (std::any_of(kFileHeads.begin(), kFileHeads.end(), is_head)) return true;
  if (begin.substr(std::min<std::size_t>(4, begin.size())).starts_with("ftyp")) return true;  // MP4
  // A frame of MPEG sound: eleven bits that are set.
  return begin.size() > 1 && begin[0] == '\xff' &&
         (static_cast<unsigned char>(begin[1]) & 0xe0U) == 0xe0U;
}

}  // namespace

bool is_media_file(const codec::TextPart& part) {
  if (part.surface != codec::Surface::kMedia) return false;
  const auto is_of = [&](std::string_view type) { return part.text.starts_with(type); };
  if (std::any_of(kUrlTypes.begin(), kUrlTypes.end(), is_of)) return true;
  std::string_view base64 = part.text;
  if (base64.starts_with("data:")) base64.remove_prefix(base64.find(',') + 1);
  return starts_as_file(base64);
}

PriceTable::PriceTable(PriceConfig config) : config_(std::move(config)) {
  for (std::size_t i = 0; i < config_.prices.size(); ++i) {
    const Price& price = config_.prices[i];
    policy::Glob glob(price.model);
    if (glob.is_name())
      names_[price.model].push_back(i);
    else
      globs_.emplace_back(std::move(glob), i);
  }
}

const Price* PriceTable::first_of(std::string_view provider, std::string_view model) const {
  const auto is_of = [&](std::size_t i) {
    return config_.prices[i].provider.empty() || config_.prices[i].provider == provider;
  };
  std::size_t best = config_.prices.size();
  if (const auto named = names_.find(model); named != names_.end())
    for (const std::size_t i : named->second)
      if (is_of(i)) best = std::min(best, i);
  for (const auto& [glob, i] : globs_)
    if (i < best && is_of(i) && glob.matches(model)) best = i;
  return best < config_.prices.size() ? &config_.prices[best] : nullptr;
}

const Price* PriceTable::find(std::string_view provider, std::string_view model) const {
  if (const Price* const exact = first_of(provider, model)) return exact;
  const std::string_view name = undated(model);
  return name.size() == model.size() ? nullptr : first_of(provider, name);
}

std::uint64_t cost_of(const Price& price, const codec::Usage& usage) {
  __extension__ using Wide = unsigned __int128;
  const std::uint64_t cached = std::min(usage.cached_tokens, usage.input_tokens);
  const std::uint64_t written = std::min(usage.cache_written_tokens, usage.input_tokens - cached);
  const Wide trillionths = static_cast<Wide>(usage.input_tokens - cached - written) * price.input +
                           static_cast<Wide>(cached) * price.cached.value_or(price.input) +
                           static_cast<Wide>(written) * price.cache_write.value_or(price.input) +
                           static_cast<Wide>(usage.output_tokens) * price.output;
  const Wide billionths = (trillionths + 999) / 1000;
  return billionths > UINT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(billionths);
}

std::uint64_t estimate_input(const codec::LlmRequest& request) {
  std::uint64_t bytes = 0;
  std::uint64_t tokens = request.message_count * kMessageTokens;
  for (const codec::TextPart& part : request.parts) {
    if (is_media_file(part))
      tokens += kMediaTokens;
    else
      bytes += part.text.size();
  }
  return tokens + estimate_tokens(bytes);
}

}  // namespace aispm::gateway
