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

Result<AgentEvents> read_events(std::string_view body, EventAuthor author,
                                const EventStamp& stamp) {
  if (body.size() > kMaxEventsBodyBytes) return fail(Errc::kTooLarge, "more than 1 MiB of events");
  boost::system::error_code error;
  json::value document = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return fail(Errc::kInvalid, "not JSON: " + error.message());
  auto* object = document.if_object();
  auto* list = object ? object->if_contains("events") : nullptr;
  auto* events = list ? list->if_array() : nullptr;
  if (!events) return fail(Errc::kInvalid, R"(must be {"events":[...]})");
  if (events->size() > kMaxEventsPerBody)
    return fail(Errc::kTooLarge, "more than 1024 events in one request");
  AgentEvents read;
  read.unknown.fields = object->size() - 1;
  if (read.unknown.fields != 0) read.unknown.first = "(beside events)";
  read.events.reserve(events->size());
  for (std::size_t i = 0; i < events->size(); ++i) {
    json::value& item = (*events)[i];
    const std::string where = "events[" + std::to_string(i) + "]: ";
    const std::uint64_t known = read.unknown.fields;
    if (auto* fields = item.if_object())
      drop_unknown(*fields, *v1::Event::descriptor(), read.unknown);
    auto event = report::from_json(json::serialize(item));
    if (!event) return fail(event.error().code, where + event.error().message);
    if (std::holds_alternative<std::monostate>(event->body) && read.unknown.fields != known) {
      ++read.unknown.events;
      continue;
    }
    if (!may_report(author, *event))
      return fail(Errc::kDenied, where + "this kind of event may not be reported here");
    stamp_event(*event, author, stamp);
    read.events.push_back(std::move(*event));
  }
  return read;
}

}  // namespace aispm::gateway
