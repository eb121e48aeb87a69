// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/asked_calls.hpp"

#include <algorithm>

#include "gateway/mcp/mcp_names.hpp"
#include "sdk/core/codec/canonical_json.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::gateway {
namespace {

// As models' APIs want names.
std::string plain_name(std::string_view name) {
  std::string plain(name);
  for (char& c : plain) {
    const bool is_taken =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    if (!is_taken) c = '_';
  }
  return plain;
}

}  // namespace

std::string_view name_of(AskedMatch match) {
  switch (match) {
    case AskedMatch::kNone:
      return "none";
    case AskedMatch::kChanged:
      return "changed";
    case AskedMatch::kExact:
      return "exact";
    default:
      return "unknown";
  }
}

std::string digest_of_arguments(std::string_view arguments) {
  if (arguments.find_first_not_of(" \t\r\n") == std::string_view::npos) arguments = "{}";
  codec::JsonTree tree;
  if (!tree.read(arguments, codec::kMaxRpcDepth)) return sha256_hex(arguments);
  return sha256_hex(codec::canonical_json(tree, 0));
}

bool means_tool(std::string_view asked, std::string_view server, std::string_view name) {
  if (asked.size() > AskedCalls::kMaxTool) return false;
  const std::string said = plain_name(asked);
  if (said == plain_name(name)) return true;
  const std::string whole = plain_name(prefixed_name(server, name));
  if (!said.ends_with(whole)) return false;
  const std::size_t before = said.size() - whole.size();
  return before == 0 || said[before - 1] == '_' || said[before - 1] == '-';
}

AskedCalls::Claim::~Claim() {
  if (book_ != nullptr && call_) book_->put_back(agent_, std::move(*call_));
}

AskedCalls::Claim::Claim(Claim&& other) noexcept
    : book_(std::exchange(other.book_, nullptr)),
      agent_(std::move(other.agent_)),
      match_(other.match_),
      call_(std::move(other.call_)) {}

AskedCalls::Claim& AskedCalls::Claim::operator=(Claim&& other) noexcept {
  std::swap(book_, other.book_);
  std::swap(agent_, other.agent_);
  std::swap(match_, other.match_);
  std::swap(call_, other.call_);
  return *this;
}

AskedCalls::Agent& AskedCalls::agent_of(const std::string& key) {
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    agents_.splice(agents_.begin(), agents_, known->second);
    return agents_.front();
  }
  if (agents_.size() >= kMaxAgents) {
    const Agent& idle = agents_.back();
    calls_ -= idle.calls.size();
    forgotten_ += idle.calls.size();
    by_key_.erase(idle.key);
    agents_.pop_back();
  }
  agents_.push_front({.key = key, .spoke = {}, .calls = {}});
  by_key_.emplace(agents_.front().key, agents_.begin());
  return agents_.front();
}

void AskedCalls::drop_old(Agent& agent, Time now) {
  while (!agent.calls.empty() && agent.calls.front().at + within_ <= now) {
    agent.calls.pop_front();
    --calls_;
  }
}

void AskedCalls::note_reply(const AskedFor& whom, Time now) {
  const std::lock_guard lock(mutex_);
  agent_of(whom.agent).spoke = now;
}

void AskedCalls::note_call(const AskedFor& whom, AskedCall call, Time now) {
  if (call.tool.size() > kMaxTool) return;
  call.session = whom.session;
  call.at = now;
  const std::lock_guard lock(mutex_);
  Agent& agent = agent_of(whom.agent);
  agent.spoke = now;
  drop_old(agent, now);
  if (agent.calls.size() >= kMaxCalls) {
    agent.calls.pop_front();
    --calls_;
    ++forgotten_;
  }
  agent.calls.push_back(std::move(call));
  ++calls_;
}

void AskedCalls::put_back(const std::string& agent, AskedCall call) {
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(agent);
  if (known == by_key_.end()) return;
  auto& calls = known->second->calls;
  const auto later = std::find_if(calls.begin(), calls.end(),
                                  [&](const AskedCall& one) { return one.at > call.at; });
  calls.insert(later, std::move(call));
  ++calls_;
}

AskedCalls::Claim AskedCalls::take(const AskedFor& whom, std::string_view server,
                                   std::string_view tool, std::string_view arguments, Time now) {
  const std::string digest = digest_of_arguments(arguments);
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(whom.agent);
  if (known == by_key_.end() || known->second->spoke + within_ <= now) return {};
  Agent& agent = *known->second;
  drop_old(agent, now);
  auto found = agent.calls.end();
  AskedMatch match = AskedMatch::kNone;
  for (auto call = agent.calls.begin(); call != agent.calls.end(); ++call) {
    const bool is_apart =
        !whom.session.empty() && !call->session.empty() && whom.session != call->session;
    if (is_apart || !means_tool(call->tool, server, tool)) continue;
    if (call->digest == digest) {
      found = call;
      match = AskedMatch::kExact;
      break;
    }
    if (match == AskedMatch::kChanged) continue;
    found = call;
    match = AskedMatch::kChanged;
  }
  if (found == agent.calls.end()) return {nullptr, {}, AskedMatch::kNone, std::nullopt};
  Claim claim(this, whom.agent, match, std::move(*found));
  agent.calls.erase(found);
  --calls_;
  return claim;
}

std::size_t AskedCalls::size() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::uint64_t AskedCalls::forgotten() const {
  const std::lock_guard lock(mutex_);
  return forgotten_;
}

}  // namespace aispm::gateway
