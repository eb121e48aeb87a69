// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/key_store.hpp"

#include <cstring>

#include "sdk/core/common/log.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm::gateway {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<Sha256> parse_sha256(std::string_view hex) {
  Sha256 hash;
  if (hex.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return hash;
}

}  // namespace

// The key is a cryptographic hash already: its first bytes are as good as any hash of it.
std::size_t KeyStore::HashOfHash::operator()(const Sha256& hash) const {
  std::size_t value = 0;
  std::memcpy(&value, hash.data(), sizeof value);
  return value;
}

std::shared_ptr<const AgentIdentity> KeyStore::find(std::string_view presented_key) const {
  if (presented_key.empty() || presented_key.size() > kMaxKeyBytes) return nullptr;
  const auto keys = snapshot_.load();
  if (!keys) return nullptr;
  const auto found = keys->find(sha256(presented_key));
  return found == keys->end() ? nullptr : found->second;
}

void KeyStore::follow(const std::vector<report::AgentKey>& keys) {
  Keys next;
  for (const report::AgentKey& key : keys) {
    const auto hash = parse_sha256(key.key_sha256);
    if (!hash) {
      log::warn("keys.bad_hash", {{"key_id", key.key_id}});
      continue;
    }
    next[*hash] =
        std::make_shared<AgentIdentity>(AgentIdentity{key.agent_id, key.tenant, key.key_id});
  }
  const std::lock_guard lock(mutex_);
  followed_ = std::move(next);
  publish();
}

Result<std::shared_ptr<const KeyStore::Keys>> KeyStore::read_file(const std::string& path) {
  AISPM_TRY(const YamlMap root, YamlMap::load(path));
  auto next = std::make_shared<Keys>();
  // A file that is being written is empty for a moment; read then, it would shut all agents out.
  if (!root.has("keys"))
    root.reject("keys", "is missing; `keys: []` says that no agent has a key here");
  for (const YamlMap& map : root.maps("keys")) {
    const auto hash = parse_sha256(map.required_text("sha256"));
    if (!hash) map.reject("sha256", "must be 64 lower-case hex digits: the SHA-256 of the key");
    AgentIdentity identity{
        .agent_id = map.required_text("agent"), .tenant = map.text("tenant", ""), .key_id = ""};
    if (!hash) continue;
    // Of two agents with one key, nobody could say who asks.
    const bool is_new =
        next->emplace(*hash, std::make_shared<AgentIdentity>(std::move(identity))).second;
    if (!is_new) map.reject("sha256", "stands twice: each agent has a key of its own");
  }
  AISPM_CHECK(root.finish());
  return std::shared_ptr<const Keys>(std::move(next));
}

void KeyStore::take_file(const Keys& keys) {
  const std::lock_guard lock(mutex_);
  from_file_ = keys;
  publish();
}

Result<> KeyStore::load_file(const std::string& path) {
  AISPM_TRY(const std::shared_ptr<const Keys> keys, read_file(path));
  take_file(*keys);
  return {};
}

std::size_t KeyStore::size() const {
  const auto keys = snapshot_.load();
  return keys ? keys->size() : 0;
}

void KeyStore::publish() {
  auto all = std::make_shared<Keys>(followed_);
  for (const auto& [hash, identity] : from_file_) all->insert_or_assign(hash, identity);
  snapshot_.store(std::move(all));
}

}  // namespace aispm::gateway
