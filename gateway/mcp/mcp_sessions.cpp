// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_sessions.hpp"

#include <algorithm>

#include "gateway/mcp/mcp_request.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kIdBytes = 24;

// NUL is in no name and in no id.
std::string agent_key(const McpOwner& owner) {
  return owner.tenant + std::string(1, '\0') + owner.agent_id;
}

}  // namespace

ServerSession McpSession::server(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return servers_[index].session;
}

ServerSession McpSession::adopt(std::size_t index, ServerSession opened) {
  const std::lock_guard lock(mutex_);
  ServerSession& kept = servers_[index].session;
  if (!kept.is_open) kept = std::move(opened);
  wake_ear();
  return kept;
}

void McpSession::forget(std::size_t index, const std::string& server_session_id) {
  const std::lock_guard lock(mutex_);
  Server& server = servers_[index];
  if (server.session.id != server_session_id) return;
  server = Server{};
  wake_ear();
}

std::shared_ptr<const ToolBook> McpSession::tools(std::size_t index, std::chrono::milliseconds age,
                                                  Time now) const {
  const std::lock_guard lock(mutex_);
  const Server& server = servers_[index];
  return server.tools && now - server.listed < age ? server.tools : nullptr;
}

void McpSession::keep_tools(std::size_t index, std::shared_ptr<const ToolBook> tools, Time now) {
  const std::lock_guard lock(mutex_);
  servers_[index].tools = std::move(tools);
  servers_[index].listed = now;
}

std::shared_ptr<const Catalogue> McpSession::catalogue(std::size_t index, Shelf shelf,
                                                       std::chrono::milliseconds age,
                                                       Time now) const {
  const std::lock_guard lock(mutex_);
  const auto& kept = servers_[index].shelves[static_cast<std::size_t>(shelf)];
  return kept.read && now - kept.listed < age ? kept.read : nullptr;
}

void McpSession::keep_catalogue(std::size_t index, std::shared_ptr<const Catalogue> read,
                                Time now) {
  const std::lock_guard lock(mutex_);
  const auto shelf = static_cast<std::size_t>(read->shelf());
  servers_[index].shelves[shelf] = {std::move(read), now};
}

void McpSession::forget_list(std::size_t index, std::optional<Shelf> shelf) {
  const std::lock_guard lock(mutex_);
  Server& server = servers_[index];
  if (shelf)
    server.shelves[static_cast<std::size_t>(*shelf)] = {};
  else
    server.tools = nullptr;
}

bool McpSession::tell(std::size_t index, Change change) {
  if (change.kind != ChangeKind::kResource) forget_list(index, shelf_of(change.kind));
  if (change.kind == ChangeKind::kResources) forget_list(index, Shelf::kTemplates);
  const std::lock_guard lock(mutex_);
  Told told{index, std::move(change)};
  if (ear_ == nullptr || std::find(told_.begin(), told_.end(), told) != told_.end()) return true;
  // One who does not keep up reads everything anew, with another stream.
  const bool is_taken = told_.size() < kMaxTold;
  if (is_taken)
    told_.push_back(std::move(told));
  else
    ear_->is_over_ = true;
  wake_ear();
  return is_taken;
}

std::vector<McpSession::Told> McpSession::take_told() {
  const std::lock_guard lock(mutex_);
  return std::exchange(told_, {});
}

Result<bool> McpSession::subscribe(std::size_t index, const std::string& uri, std::size_t most) {
  const std::lock_guard lock(mutex_);
  std::set<std::string>& uris = subscriptions_[index];
  if (uris.contains(uri)) return false;
  if (subscribed_ >= most)
    return fail(Errc::kExhausted,
                "a session has at most " + std::to_string(most) + " subscriptions");
  uris.insert(uri);
  ++subscribed_;
  wake_ear();
  return true;
}

bool McpSession::unsubscribe(std::size_t index, const std::string& uri) {
  const std::lock_guard lock(mutex_);
  if (subscriptions_[index].erase(uri) == 0) return false;
  --subscribed_;
  wake_ear();
  return true;
}

std::set<std::string> McpSession::subscriptions(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return subscriptions_[index];
}

McpSession::Ear::Ear(McpSession& session, std::function<void()> wake)
    : session_(session), wake_(std::move(wake)) {
  const std::lock_guard lock(session_.mutex_);
  if (session_.ear_ != nullptr) {
    session_.ear_->is_over_ = true;
    session_.wake_ear();
  }
  session_.ear_ = this;
  session_.told_.clear();
  is_over_ = session_.is_closed_;
}

McpSession::Ear::~Ear() {
  const std::lock_guard lock(session_.mutex_);
  if (session_.ear_ == this) session_.ear_ = nullptr;
}

void McpSession::wake_ear() {
  if (ear_ != nullptr) ear_->wake_();
}

void McpSession::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  if (ear_ == nullptr) return;
  ear_->is_over_ = true;
  wake_ear();
}

McpSession::Running::Running(McpSession& session, std::string id, std::function<void()> stop)
    : session_(session) {
  const std::lock_guard lock(session_.mutex_);
  entry_ = session_.running_.emplace(session_.running_.end(), std::move(id), std::move(stop));
}

McpSession::Running::~Running() {
  const std::lock_guard lock(session_.mutex_);
  session_.running_.erase(entry_);
}

void McpSession::cancel(std::string_view id) {
  const std::lock_guard lock(mutex_);
  for (const auto& [running, stop] : running_)
    if (running == id) stop();
}

McpSession::Owed::Owed(McpSession& session, std::string id, std::function<void(std::string)> take)
    : session_(session) {
  const std::lock_guard lock(session_.mutex_);
  entry_ = session_.owed_.emplace(session_.owed_.end(), std::move(id), std::move(take));
}

McpSession::Owed::~Owed() {
  const std::lock_guard lock(session_.mutex_);
  session_.owed_.erase(entry_);
}

bool McpSession::answer(std::string_view id, std::string_view message) {
  const std::lock_guard lock(mutex_);
  for (const auto& [owed, take] : owed_) {
    if (owed != id) continue;
    take(std::string(message));
    return true;
  }
  return false;
}

std::string McpSessions::key_of(const McpSession& session) {
  return session.id().empty() ? agent_key(session.owner()) : session.id();
}

void McpSessions::drop_idle(Time now) {
  while (!entries_.empty() && now - entries_.back().used >= limits_.idle) {
    const McpSession& last = *entries_.back().session;
    if (const auto count = of_agent_.find(agent_key(last.owner())); --count->second == 0)
      of_agent_.erase(count);
    by_key_.erase(key_of(last));
    entries_.back().session->close();
    entries_.pop_back();
  }
}

Result<std::shared_ptr<McpSession>> McpSessions::add(const std::string& key, std::string id,
                                                     McpOwner owner, std::string version,
                                                     bool asks_by_url, Time now) {
  drop_idle(now);
  if (entries_.size() >= limits_.sessions)
    return fail(Errc::kExhausted, "too many sessions are open");
  std::size_t& count = of_agent_[agent_key(owner)];
  if (count >= limits_.of_agent)
    return fail(Errc::kExhausted, "this agent has too many sessions open");
  ++count;
  auto session = std::make_shared<McpSession>(std::move(id), std::move(owner), std::move(version),
                                              asks_by_url, servers_);
  entries_.push_front({session, now});
  by_key_.emplace(key, entries_.begin());
  return session;
}

Result<std::shared_ptr<McpSession>> McpSessions::open(McpOwner owner, std::string version,
                                                      bool asks_by_url, Time now) {
  const std::lock_guard lock(mutex_);
  std::string id = make_token(kIdBytes);
  const std::string key = id;
  return add(key, std::move(id), std::move(owner), std::move(version), asks_by_url, now);
}

std::shared_ptr<McpSession> McpSessions::find(std::string_view id, const McpOwner& owner, Time now,
                                              Found& found) {
  const std::lock_guard lock(mutex_);
  drop_idle(now);
  const auto entry = by_key_.find(std::string(id));
  const bool is_known = entry != by_key_.end() && !entry->second->session->id().empty();
  found = !is_known                                  ? Found::kUnknown
          : entry->second->session->owner() == owner ? Found::kFound
                                                     : Found::kOthers;
  if (found != Found::kFound) return nullptr;
  entry->second->used = now;
  entries_.splice(entries_.begin(), entries_, entry->second);
  return entry->second->session;
}

Result<std::shared_ptr<McpSession>> McpSessions::of_agent(const McpOwner& owner, Time now) {
  const std::lock_guard lock(mutex_);
  drop_idle(now);
  const std::string key = agent_key(owner);
  if (const auto entry = by_key_.find(key); entry != by_key_.end()) {
    entry->second->used = now;
    entries_.splice(entries_.begin(), entries_, entry->second);
    return entry->second->session;
  }
  return add(key, {}, owner, std::string(kMcpStateless), false, now);
}

bool McpSessions::touch(const McpSession& session, Time now) {
  const std::lock_guard lock(mutex_);
  const auto entry = by_key_.find(key_of(session));
  if (entry == by_key_.end() || entry->second->session.get() != &session) return false;
  entry->second->used = now;
  entries_.splice(entries_.begin(), entries_, entry->second);
  return true;
}

void McpSessions::end(McpSession& session) {
  session.close();
  const std::lock_guard lock(mutex_);
  const auto entry = by_key_.find(key_of(session));
  if (entry == by_key_.end()) return;
  if (const auto count = of_agent_.find(agent_key(session.owner())); --count->second == 0)
    of_agent_.erase(count);
  entries_.erase(entry->second);
  by_key_.erase(entry);
}

std::size_t McpSessions::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace aispm::gateway
