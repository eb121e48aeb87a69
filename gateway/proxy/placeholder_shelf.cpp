// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/placeholder_shelf.hpp"

#include <algorithm>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {

using detect::Placeholders;

namespace {

void write_escaped(std::string_view value, std::string& out) {
  const std::string quoted = codec::json_string(value);
  out.append(quoted, 1, quoted.size() - 2);
}

}  // namespace

SessionPlaceholders::SessionPlaceholders(bool keeps_vault)
    : placeholders_(Secret(make_uuid() + make_uuid()),
                    keeps_vault ? Placeholders::Vault::kKept : Placeholders::Vault::kNone) {}

void SessionPlaceholders::append(const detect::Rule& rule, std::string_view value,
                                 std::string& out) {
  const std::lock_guard lock(mutex_);
  placeholders_.append(rule, value, out);
}

void SessionPlaceholders::Replies::append(const detect::Rule& rule, std::string_view value,
                                          std::string& out) {
  const std::lock_guard lock(session_.mutex_);
  session_.placeholders_.append(rule, value, out, detect::Placeholders::Source::kReply);
}

std::size_t SessionPlaceholders::restore(std::string_view text, bool into_json,
                                         std::string& out) const {
  const std::lock_guard lock(mutex_);
  return placeholders_.restore(text, out, into_json ? &write_escaped : nullptr);
}

bool SessionPlaceholders::can_restore() const { return vault_bytes() > 0; }

std::size_t SessionPlaceholders::vault_bytes() const {
  const std::lock_guard lock(mutex_);
  return placeholders_.vault_bytes();
}

std::uint64_t SessionPlaceholders::overflow() const {
  const std::lock_guard lock(mutex_);
  return placeholders_.overflow();
}

std::shared_ptr<SessionPlaceholders> PlaceholderShelf::of(std::string_view tenant,
                                                          std::string_view agent,
                                                          std::string_view session,
                                                          bool keeps_vault, Time now) {
  std::string key;
  key.reserve(tenant.size() + agent.size() + session.size() + 3);
  key.append(tenant).append(1, '\0').append(agent).append(1, '\0').append(session);
  key.push_back(keeps_vault ? '1' : '0');  // a policy that takes the vault away takes it at once
  const std::lock_guard lock(mutex_);
  if (const auto known = index_.find(key); known != index_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
    entries_.front().used = now;
    return entries_.front().session;
  }
  make_room(now);
  entries_.push_front({std::move(key), std::make_shared<SessionPlaceholders>(keeps_vault), now});
  index_.emplace(entries_.front().key, entries_.begin());
  return entries_.front().session;
}

void PlaceholderShelf::make_room(Time now) {
  std::size_t vaults = 0;
  for (const Entry& entry : entries_) vaults += entry.session->vault_bytes();
  while (!entries_.empty()) {
    const Entry& last = entries_.back();
    const bool is_idle = now - last.used > kIdle;
    if (!is_idle && entries_.size() < kMaxSessions && vaults <= kMaxVaultBytes) break;
    if (!is_idle) ++evicted_;
    vaults -= std::min(vaults, last.session->vault_bytes());
    index_.erase(last.key);
    entries_.pop_back();
  }
}

std::size_t PlaceholderShelf::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::uint64_t PlaceholderShelf::evicted() const {
  const std::lock_guard lock(mutex_);
  return evicted_;
}

void PlaceholderStream::feed(std::string_view text, std::string& out) {
  held_ += text;
  // Only what begins with `<` and is not yet too long may still become a placeholder.
  const std::size_t open = held_.rfind('<');
  std::size_t ready = held_.size();
  if (open != std::string::npos && held_.size() - open <= Placeholders::kMaxNameBytes &&
      held_.find('>', open) == std::string::npos)
    ready = open;
  if (ready == 0) return;
  restored_ += session_->restore(std::string_view(held_).substr(0, ready), into_json_, out);
  held_.erase(0, ready);
}

void PlaceholderStream::finish(std::string& out) {
  restored_ += session_->restore(held_, into_json_, out);
  held_.clear();
}

}  // namespace aispm::gateway
