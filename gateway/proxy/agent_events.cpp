// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/agent_events.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "sdk/core/common/id.hpp"
#include "sdk/core/report/convert.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

bool may_report(EventAuthor author, const model::Event& event) {
  if (std::holds_alternative<model::AgentReady>(event.body) ||
      std::holds_alternative<model::AgentLog>(event.body))
    return true;
  return author == EventAuthor::kRun && (std::holds_alternative<model::SandboxStart>(event.body) ||
                                         std::holds_alternative<model::SandboxExit>(event.body) ||
                                         std::holds_alternative<model::SandboxDenial>(event.body));
}

// An agent's claim about anything but its own words counts for nothing.
void stamp_event(model::Event& event, EventAuthor author, const EventStamp& stamp) {
  event.tenant = stamp.tenant;
  event.host_id = stamp.host_id;
  event.agent_id = stamp.agent_id;
  if (!stamp.session_id.empty() || author == EventAuthor::kAgent)
    event.session_id = stamp.session_id;
  if (event.trace_id.empty()) event.trace_id = stamp.trace_id;
  event.source = author == EventAuthor::kRun ? model::Source::kSandbox : model::Source::kSdk;
  if (author == EventAuthor::kRun) return;
  event.id = make_uuid();
  event.time = wall_now();
  event.process.reset();
  event.detections.clear();
  event.decision.reset();
}

}  // namespace

Result<std::vector<model::Event>> read_events(std::string_view body, EventAuthor author,
                                              const EventStamp& stamp) {
  if (body.size() > kMaxEventsBodyBytes) return fail(Errc::kTooLarge, "more than 1 MiB of events");
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return fail(Errc::kInvalid, "not JSON: " + error.message());
  const auto* object = document.if_object();
  const auto* list = object ? object->if_contains("events") : nullptr;
  const auto* events = list ? list->if_array() : nullptr;
  if (!events || object->size() != 1) return fail(Errc::kInvalid, R"(must be {"events":[...]})");
  if (events->size() > kMaxEventsPerBody)
    return fail(Errc::kTooLarge, "more than 1024 events in one request");
  std::vector<model::Event> read;
  read.reserve(events->size());
  for (const json::value& item : *events) {
    const std::string where = "events[" + std::to_string(read.size()) + "]: ";
    auto event = report::from_json(json::serialize(item));
    if (!event) return fail(event.error().code, where + event.error().message);
    if (!may_report(author, *event))
      return fail(Errc::kDenied, where + "this kind of event may not be reported here");
    stamp_event(*event, author, stamp);
    read.push_back(std::move(*event));
  }
  return read;
}

}  // namespace aispm::gateway
