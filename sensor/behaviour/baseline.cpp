// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/baseline.hpp"

#include <array>
#include <boost/json.hpp>
#include <utility>

namespace aispm::sensor {
namespace {

namespace json = boost::json;

constexpr std::array kKinds{BaselineKind::kDestination, BaselineKind::kExecutable,
                            BaselineKind::kFile};
constexpr std::int64_t kVersion = 1;

}  // namespace

std::string_view name_of(BaselineKind kind) {
  switch (kind) {
    case BaselineKind::kDestination:
      return "destination";
    case BaselineKind::kExecutable:
      return "executable";
    case BaselineKind::kFile:
      return "file";
  }
  return "";
}

bool Baselines::see(std::string_view agent, BaselineKind kind, std::string_view item,
                    WallTime now) {
  auto found = agents_.find(agent);
  if (found == agents_.end()) {
    if (agents_.size() >= kMaxAgents) {
      ++not_learned_;
      return false;
    }
    found = agents_.emplace(agent, Agent{now, {}}).first;
    is_dirty_ = true;
  }
  auto& items = found->second.items[kind];
  if (items.contains(item)) return false;
  if (items.size() >= kMaxItems || item.size() > kMaxItemBytes) {
    ++not_learned_;
    return false;
  }
  items.emplace(item);
  is_dirty_ = true;
  const std::int64_t learned =
      found->second.since.nanoseconds + std::chrono::nanoseconds(learning_).count();
  return now.nanoseconds >= learned;
}

std::string Baselines::save() const {
  json::object agents;
  for (const auto& [name, agent] : agents_) {
    json::object entry{{"since_unix_ns", agent.since.nanoseconds}};
    for (const auto& [kind, items] : agent.items)
      entry[name_of(kind)] = json::array(items.begin(), items.end());
    agents[name] = std::move(entry);
  }
  is_dirty_ = false;
  return json::serialize(json::object{{"version", kVersion}, {"agents", std::move(agents)}});
}

Result<> Baselines::restore(std::string_view text) {
  if (text.size() > kMaxSavedBytes) return fail(Errc::kTooLarge, "baselines: file too large");
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error || !root.is_object()) return fail(Errc::kInvalid, "baselines: not a JSON object");
  const json::value* version = root.as_object().if_contains("version");
  const json::value* agents = root.as_object().if_contains("agents");
  if (version == nullptr || !version->is_int64() || version->as_int64() != kVersion ||
      agents == nullptr || !agents->is_object())
    return fail(Errc::kInvalid, "baselines: version 1 with agents is needed");
  std::map<std::string, Agent, std::less<>> read;
  for (const auto& [name, entry] : agents->as_object()) {
    if (read.size() >= kMaxAgents) return fail(Errc::kTooLarge, "baselines: too many agents");
    const json::value* since =
        entry.is_object() ? entry.as_object().if_contains("since_unix_ns") : nullptr;
    if (since == nullptr || !since->is_int64())
      return fail(Errc::kInvalid, "baselines: an agent without since_unix_ns");
    Agent agent;
    agent.since = {since->as_int64()};
    for (const BaselineKind kind : kKinds) {
      const json::value* items = entry.as_object().if_contains(name_of(kind));
      if (items == nullptr) continue;
      if (!items->is_array() || items->as_array().size() > kMaxItems)
        return fail(Errc::kInvalid, "baselines: a list is needed, of limited length");
      for (const json::value& item : items->as_array()) {
        if (!item.is_string() || item.as_string().size() > kMaxItemBytes)
          return fail(Errc::kInvalid, "baselines: an item is no text or too long");
        agent.items[kind].emplace(std::string_view(item.as_string()));
      }
    }
    read.emplace(std::string(name), std::move(agent));
  }
  agents_ = std::move(read);
  is_dirty_ = false;
  return {};
}

}  // namespace aispm::sensor
