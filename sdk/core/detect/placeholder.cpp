// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/placeholder.hpp"

#include <algorithm>

#include "sdk/core/common/keyed_hash.hpp"

namespace aispm::detect {
namespace {

bool withholds(model::Outcome outcome) {
  return outcome == model::Outcome::kRedact || outcome == model::Outcome::kDeny;
}

bool is_name_byte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

}  // namespace

Placeholders::Placeholders(Secret key, Vault vault) : key_(std::move(key)), vault_(vault) {}

// Whether the value can be turned back from now on.
bool Placeholders::keep(const std::string& name, std::string_view value) {
  if (values_.contains(name)) return true;
  if (vault_bytes_ + value.size() > kMaxVaultBytes) return false;
  vault_bytes_ += value.size();
  values_.emplace(name, Secret(std::string(value)));
  return true;
}

void Placeholders::append(const Rule& rule, std::string_view value, std::string& out,
                          Source source) {
  const bool keeps = vault_ == Vault::kKept && source == Source::kRequest;
  const std::string& type = rule.entity;
  std::string typed = type;
  typed.push_back('\0');
  typed.append(value);
  const std::string hash = keyed_hash(key_, typed);
  if (const auto known = names_.find(hash); known != names_.end()) {
    out += known->second;
    if (keeps) (void)keep(known->second, value);
    return;
  }
  if (names_.size() >= kMaxValues) {
    ++overflow_;
    out += "<" + type + ">";
    return;
  }
  std::string name = "<" + type + "_" + std::to_string(++counts_[type]) + ">";
  out += name;
  if (keeps && !keep(name, value)) ++overflow_;
  names_.emplace(hash, std::move(name));
}

std::size_t Placeholders::restore(std::string_view text, std::string& out, Write write) const {
  std::size_t restored = 0;
  std::size_t done = 0;
  for (auto at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
    std::size_t end = at + 1;
    while (end < text.size() && end - at < kMaxNameBytes && is_name_byte(text[end])) ++end;
    if (end >= text.size() || text[end] != '>') continue;
    const auto value = values_.find(std::string(text.substr(at, end + 1 - at)));
    if (value == values_.end()) continue;
    out += text.substr(done, at - done);
    if (write != nullptr)
      write(value->second.expose(), out);
    else
      out += value->second.expose();
    done = end + 1;
    ++restored;
  }
  out += text.substr(done);
  return restored;
}

void Placeholders::close_vault() {
  values_.clear();
  vault_bytes_ = 0;
  vault_ = Vault::kNone;
}

std::size_t redact_with(const std::vector<Rule>& rules, std::string_view text,
                        std::span<const Match> matches, const Outcomes& outcomes,
                        Placeholders& placeholders, std::string& out) {
  std::size_t count = 0;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < matches.size();) {
    if (!withholds(outcomes[matches[i].rule])) {
      ++i;
      continue;
    }
    const std::uint64_t begin = matches[i].offset;
    std::uint64_t end = begin;
    const Rule* type = nullptr;
    for (; i < matches.size() && (type == nullptr || matches[i].offset < end); ++i) {
      const Match& match = matches[i];
      if (!withholds(outcomes[match.rule])) continue;
      end = std::max(end, match.offset + match.length);
      const Rule& rule = rules[match.rule];
      if (type == nullptr || (!is_data(type->category) && is_data(rule.category))) type = &rule;
    }
    out += text.substr(done, begin - done);
    placeholders.append(*type, text.substr(begin, end - begin), out);
    done = end;
    ++count;
  }
  out += text.substr(done);
  return count;
}

}  // namespace aispm::detect
