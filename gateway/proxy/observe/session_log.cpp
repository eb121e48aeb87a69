// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/session_log.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/observe/query.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using model::Outcome;

bool is_denial(Outcome outcome) {
  switch (outcome) {
    case Outcome::kUnspecified:
    case Outcome::kAllow:
    case Outcome::kRedact:
    case Outcome::kApproved:
      return false;
    default:
      return true;
  }
}

// What an event is about, in the words of its kind.
struct About {
  std::string kind = "other";
  std::string what;
  std::string where;
  std::uint32_t status = 0;
  std::uint64_t duration_us = 0;
};

About about(const model::Event& event) {
  if (const auto* const call = std::get_if<model::LlmCall>(&event.body))
    return {"llm_call", call->request_model, call->upstream, call->status, call->duration_us};
  if (const auto* const call = std::get_if<model::ActionCall>(&event.body))
    return {"action_call", call->tool, call->tool_provider, 0, 0};
  if (const auto* const start = std::get_if<model::SandboxStart>(&event.body))
    return {"sandbox_start", start->command.empty() ? "" : start->command.front(), start->profile,
            0, 0};
  if (const auto* const exit = std::get_if<model::SandboxExit>(&event.body))
    return {"sandbox_exit", "", "", exit->exit_code, 0};
  if (std::holds_alternative<model::SandboxDenial>(event.body))
    return {"sandbox_denial", "", "", 0, 0};
  if (std::holds_alternative<model::AgentReady>(event.body)) return {"agent_ready", "", "", 0, 0};
  if (std::holds_alternative<model::AgentLog>(event.body)) return {"agent_log", "", "", 0, 0};
  return {};
}

}  // namespace

Result<SessionFilter> read_session_filter(std::string_view query) {
  SessionFilter filter;
  AISPM_TRY(const auto pairs, read_query(query));
  for (const auto& [name, value] : pairs) {
    if (name == "limit") {
      AISPM_TRY(filter.limit, read_query_number(name, value, SessionFilter::kMaxLimit));
    } else if (name == "offset") {
      AISPM_TRY(filter.offset, read_query_number(name, value, 1'000'000'000));
    } else if (name == "tenant") {
      filter.tenant = value;
    } else if (name == "agent") {
      filter.agent = value;
    } else {
      return fail(
          Errc::kInvalid,
          "`" + name.substr(0, 32) + "` is not known; allowed are tenant, agent, limit and offset");
    }
  }
  return filter;
}

SessionLog::Entry SessionLog::entry_of(const model::Event& event) {
  About said = about(event);
  Entry entry;
  entry.id = event.id;
  entry.time = event.time;
  entry.kind = std::move(said.kind);
  entry.what = std::move(said.what);
  entry.where = std::move(said.where);
  entry.status = said.status;
  entry.duration_us = said.duration_us;
  entry.trace_id = event.trace_id;
  entry.detections = event.detections.size();
  if (event.decision) {
    entry.outcome = model::name_of(event.decision->outcome);
    entry.rule = event.decision->rule_id;
  }
  return entry;
}

void SessionLog::add(const model::Event& event) {
  if (bounds_.sessions == 0) return;
  Entry entry = entry_of(event);
  const bool is_denied =
      event.decision && event.decision->mode != "monitor" && is_denial(event.decision->outcome);
  const std::lock_guard lock(mutex_);
  const auto [known, is_new] = index_.try_emplace({event.tenant, event.agent_id, event.session_id});
  if (is_new) {
    sessions_.push_front({});
    known->second = sessions_.begin();
    sessions_.front().key = known->first;
    sessions_.front().first = sessions_.front().last = event.time;
  } else {
    sessions_.splice(sessions_.begin(), sessions_, known->second);
  }
  Session& session = sessions_.front();
  // Events come as they end, and what began first may end last.
  session.first = std::min(session.first, event.time);
  session.last = std::max(session.last, event.time);
  if (is_denied) ++session.denied;
  if (!event.detections.empty()) ++session.flagged;
  session.entries.push_back(std::move(entry));
  ++events_;
  make_room();
}

// Whole sessions go, but for the one that was added to.
void SessionLog::make_room() {
  while (sessions_.size() > bounds_.sessions ||
         (events_ > bounds_.events && sessions_.size() > 1)) {
    events_ -= sessions_.back().entries.size();
    forgotten_ += sessions_.back().entries.size();
    index_.erase(sessions_.back().key);
    sessions_.pop_back();
  }
  while (events_ > bounds_.events) {
    sessions_.front().entries.pop_front();
    ++sessions_.front().forgotten;
    ++forgotten_;
    --events_;
  }
}

bool SessionLog::is_asked_for(const SessionFilter& filter, const Key& key) {
  return (!filter.tenant || *filter.tenant == key.tenant) &&
         (filter.agent.empty() || filter.agent == key.agent);
}

std::string SessionLog::list(const SessionFilter& filter) const {
  const std::lock_guard lock(mutex_);
  json::array page;
  std::size_t total = 0;
  for (const Session& session : sessions_) {
    if (!is_asked_for(filter, session.key)) continue;
    if (total++ < filter.offset || page.size() >= filter.limit) continue;
    page.push_back(json::object{{"session_id", session.key.id},
                                {"tenant", session.key.tenant},
                                {"agent", session.key.agent},
                                {"first", to_rfc3339(session.first)},
                                {"last", to_rfc3339(session.last)},
                                {"events", session.entries.size() + session.forgotten},
                                {"denied", session.denied},
                                {"flagged", session.flagged}});
  }
  return json::serialize(json::object{{"sessions", std::move(page)},
                                      {"total", total},
                                      {"offset", filter.offset},
                                      {"limit", filter.limit},
                                      {"forgotten", forgotten_}});
}

Result<std::string> SessionLog::list_events(std::string_view id,
                                            const SessionFilter& filter) const {
  const std::lock_guard lock(mutex_);
  const Session* found = nullptr;
  for (const Session& session : sessions_) {
    if (session.key.id != id || !is_asked_for(filter, session.key)) continue;
    if (found != nullptr)
      return fail(Errc::kInvalid,
                  "several agents have a session of this id: name one by `tenant` and `agent`");
    found = &session;
  }
  if (found == nullptr) return fail(Errc::kNotFound, "no such session is remembered");
  json::array events;
  for (std::size_t i = filter.offset; i < found->entries.size() && events.size() < filter.limit;
       ++i) {
    const Entry& entry = found->entries[i];
    events.push_back(json::object{{"event_id", entry.id},
                                  {"time", to_rfc3339(entry.time)},
                                  {"kind", entry.kind},
                                  {"what", entry.what},
                                  {"where", entry.where},
                                  {"status", entry.status},
                                  {"duration_us", entry.duration_us},
                                  {"trace_id", entry.trace_id},
                                  {"outcome", entry.outcome},
                                  {"rule", entry.rule},
                                  {"detections", entry.detections}});
  }
  return json::serialize(json::object{{"session_id", found->key.id},
                                      {"tenant", found->key.tenant},
                                      {"agent", found->key.agent},
                                      {"events", std::move(events)},
                                      {"total", found->entries.size()},
                                      {"offset", filter.offset},
                                      {"limit", filter.limit},
                                      {"forgotten", found->forgotten}});
}

}  // namespace aispm::gateway
