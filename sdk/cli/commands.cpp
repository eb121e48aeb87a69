// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/commands.hpp"

#include <google/protobuf/util/json_util.h>

#include "sdk/cli/describe.hpp"
#include "sdk/cli/story.hpp"

namespace aispm::cli {
namespace {

using Stub = v1::Operator::Stub;

std::string component_losses(const v1::Component& component) {
  std::uint64_t lost = component.lost_events();
  for (const auto& [cause, count] : component.health().losses()) lost += count;
  return std::to_string(lost);
}

void print_reasons(const v1::Status& status, const Output& output) {
  for (const std::string& reason : status.reasons()) output.stream << "  " << safe(reason) << "\n";
  for (const auto& component : status.components()) {
    for (const std::string& reason : component.health().reasons())
      output.stream << "  " << safe(component.component() + ": " + reason) << "\n";
    for (const auto& [cause, count] : component.health().losses())
      if (count > 0)
        output.stream << "  " << safe(component.component() + ": lost " + cause + " = ") << count
                      << "\n";
  }
}

}  // namespace

Result<> print_json(const google::protobuf::Message& message, const Output& output,
                    bool with_defaults) {
  AISPM_TRY(const std::string json, json_of(message, with_defaults));
  output.stream << json << "\n";
  return {};
}

Result<std::string> json_of(const google::protobuf::Message& message, bool with_defaults) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = with_defaults;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return fail(Errc::kInternal, "answer to JSON: " + status.ToString());
  return json;
}

Result<> show_status(Client& client, const Output& output) {
  AISPM_TRY(const v1::Status status, client.call(&Stub::GetStatus, v1::GetStatusRequest()));
  if (output.json) return print_json(status, output);
  const bool good = status.state() == "ok";
  output.stream << "Collector " << safe(status.version()) << ": "
                << paint(safe(status.state()), good ? Style::kGood : Style::kBad,
                         output.screen.colours)
                << ", started " << age_text(status.started(), output.now) << "\n";
  const auto& store = status.store();
  output.stream << "Store: " << store.events() << " events, " << size_text(store.bytes())
                << ", queue " << store.queue_length() << ", duplicates ignored "
                << store.duplicates_ignored() << ", rejected " << store.rejected()
                << ", deleted by retention " << store.deleted_by_retention() << "\n\n";
  Table table({{"COMPONENT"},
               {"HOST"},
               {"VERSION"},
               {"CONNECTED"},
               {"STATE"},
               {"LAST SEEN"},
               {"LOST", Table::Align::kRight}});
  for (const auto& component : status.components()) {
    const std::string& state = component.health().state();
    const std::string lost = component_losses(component);
    table.add(
        {component.component(),
         or_dash(component.hostname().empty() ? component.host_id() : component.hostname()),
         component.version(),
         {component.connected() ? "yes" : "no", component.connected() ? Style::kGood : Style::kBad},
         {or_dash(state), state == "ok" ? Style::kGood : Style::kWarn},
         age_text(component.last_seen(), output.now),
         {lost, lost == "0" ? Style::kPlain : Style::kBad}});
  }
  output.stream << table.render(output.screen, "No sensor or gateway has reported yet.");
  print_reasons(status, output);
  return {};
}

Result<> check_kind(const std::string& kind) {
  if (kind.empty()) return {};
  std::string allowed;
  const auto* const body = v1::Event::descriptor()->FindOneofByName("body");
  for (int i = 0; i < body->field_count(); ++i) {
    if (body->field(i)->name() == kind) return {};
    allowed += (i == 0 ? "" : ", ") + body->field(i)->name();
  }
  return fail(Errc::kInvalid, "--kind " + kind + ": allowed is one of " + allowed);
}

Result<> show_events(Client& client, const EventFilter& filter, const Output& output) {
  AISPM_CHECK(check_kind(filter.kind));
  v1::ListEventsRequest request;
  request.set_kind(filter.kind);
  request.set_agent_id(filter.agent);
  request.set_session_id(filter.session);
  request.set_host_id(filter.host);
  request.set_trace_id(filter.trace);
  AISPM_TRY(const v1::EventList list,
            client.list(&Stub::ListEvents, request, &v1::EventList::events_size, filter.limit));
  if (output.json && list.events_size() == 0) {
    output.stream
        << "{\"events\":[]}\n";  // proto3 JSON leaves an empty list out, which trips scripts
    return {};
  }
  if (output.json) return print_json(list, output, false);
  Table table({{"TIME (UTC)"}, {"SOURCE"}, {"KIND"}, {"WHO"}, {"WHAT"}, {"VERDICT"}});
  // The newest last, next to the prompt.
  for (int i = list.events_size() - 1; i >= 0; --i) {
    const auto& event = list.events(i);
    table.add({time_text(event.time()),
               word(event.source()),
               kind_of(event),
               actor_of(event),
               describe(event),
               {verdict_of(event), verdict_style(event)}});
  }
  output.stream << table.render(output.screen, "No events fit.");
  return {};
}

Result<> follow_events(Client& client, const EventFilter& filter, const Output& output) {
  AISPM_CHECK(check_kind(filter.kind));
  if (!filter.host.empty() || !filter.trace.empty())
    return fail(Errc::kInvalid, "--follow filters by --kind, --agent and --session only");
  v1::StreamEventsRequest request;
  request.set_kind(filter.kind);
  request.set_agent_id(filter.agent);
  request.set_session_id(filter.session);
  return client.follow(request, [&output](const v1::Event& event) {
    if (output.json) {
      const auto json = json_of(event, false);
      if (json) output.stream << *json << "\n";
    } else {
      std::string kind = kind_of(event);
      kind.resize(std::max<std::size_t>(kind.size(), 16), ' ');
      const std::string verdict = verdict_of(event);
      output.stream << paint(time_text(event.time()), Style::kDim, output.screen.colours) << "  "
                    << kind << "  "
                    << paint(safe(actor_of(event)), Style::kBold, output.screen.colours) << "  "
                    << safe(describe(event)) << (verdict.empty() ? "" : "  ")
                    << paint(safe(verdict), verdict_style(event), output.screen.colours) << "\n";
    }
    output.stream.flush();
    return output.stream.good();
  });
}

Result<> list_sessions(Client& client, const std::string& query, std::size_t limit,
                       const Output& output) {
  v1::ListRequest request;
  request.set_query(query);
  AISPM_TRY(const v1::SessionList list,
            client.list(&Stub::ListSessions, request, &v1::SessionList::sessions_size, limit));
  if (output.json) return print_json(list, output);
  using enum Table::Align;
  Table table({{"SESSION"},
               {"AGENT"},
               {"STARTED"},
               {"STATE"},
               {"CALLS", kRight},
               {"DENIED", kRight},
               {"REDACTED", kRight},
               {"REFUSED", kRight},
               {"COMMAND"}});
  for (const auto& session : list.sessions()) {
    std::string state =
        session.running() ? "running" : "exit " + std::to_string(session.exit_code());
    if (session.signal() != 0) state = "signal " + std::to_string(session.signal());
    std::string command;
    for (const std::string& word : session.command())
      command += (command.empty() ? "" : " ") + word;
    table.add(
        {session.session_id(),
         session.agent_id(),
         age_text(session.start(), output.now),
         state,
         std::to_string(session.llm_calls()),
         {std::to_string(session.denied()), session.denied() > 0 ? Style::kBad : Style::kPlain},
         {std::to_string(session.redacted()),
          session.redacted() > 0 ? Style::kWarn : Style::kPlain},
         {std::to_string(session.sandbox_denials()),
          session.sandbox_denials() > 0 ? Style::kBad : Style::kPlain},
         command});
  }
  output.stream << table.render(output.screen,
                                "No sessions yet: run an agent with `aispm-run agent.py`.");
  return {};
}

Result<> show_session(Client& client, const std::string& id, const Output& output) {
  v1::GetSessionRequest request;
  request.set_session_id(id);
  if (id == "last") {
    AISPM_TRY(const v1::SessionList list, client.list(&Stub::ListSessions, v1::ListRequest(),
                                                      &v1::SessionList::sessions_size, 1));
    if (list.sessions_size() == 0)
      return fail(Errc::kNotFound, "no sessions yet: run an agent with `aispm-run agent.py`");
    request.set_session_id(list.sessions(0).session_id());
  }
  AISPM_TRY(const v1::SessionStory story, client.call(&Stub::GetSession, request));
  if (output.json) return print_json(story, output, false);
  output.stream << render_story(story, output.screen);
  return {};
}

Result<> create_agent_key(Client& client, const std::string& agent, const std::string& note,
                          const Output& output) {
  v1::CreateAgentKeyRequest request;
  request.set_agent_id(agent);
  request.set_note(note);
  AISPM_TRY(const v1::CreatedAgentKey created, client.call(&Stub::CreateAgentKey, request));
  if (output.json) return print_json(created, output);
  output.stream << safe(created.key()) << "\n";
  output.stream << paint("Key " + safe(created.info().key_id()) + " of agent " +
                             safe(created.info().agent_id()) +
                             ". It is shown only now; the collector keeps its hash.",
                         Style::kDim, output.screen.colours)
                << "\n";
  return {};
}

Result<> list_agent_keys(Client& client, std::size_t limit, const Output& output) {
  AISPM_TRY(const v1::AgentKeyList list, client.list(&Stub::ListAgentKeys, v1::ListRequest(),
                                                     &v1::AgentKeyList::keys_size, limit));
  if (output.json) return print_json(list, output);
  Table table({{"KEY ID"}, {"AGENT"}, {"STATE"}, {"CREATED"}, {"NOTE"}});
  for (const auto& key : list.keys())
    table.add({key.key_id(), key.agent_id(),
               key.has_revoked()
                   ? Cell("revoked " + age_text(key.revoked(), output.now), Style::kDim)
                   : Cell("valid", Style::kGood),
               age_text(key.created(), output.now), key.note()});
  output.stream << table.render(output.screen,
                                "No agent keys: `aispm agent create-key NAME` makes one.");
  return {};
}

Result<> revoke_agent_key(Client& client, const std::string& key_id, const Output& output) {
  v1::RevokeAgentKeyRequest request;
  request.set_key_id(key_id);
  AISPM_TRY(const v1::AgentKey key, client.call(&Stub::RevokeAgentKey, request));
  if (output.json) return print_json(key, output);
  output.stream << "Revoked key " << safe(key.key_id()) << " of agent " << safe(key.agent_id())
                << ".\n";
  return {};
}

Result<> create_enrolment_token(Client& client, std::uint32_t valid_seconds, const Output& output) {
  v1::CreateEnrolmentTokenRequest request;
  request.set_valid_seconds(valid_seconds);
  AISPM_TRY(const v1::CreatedEnrolmentToken created,
            client.call(&Stub::CreateEnrolmentToken, request));
  if (output.json) return print_json(created, output);
  output.stream << safe(created.token()) << "\n"
                << paint("One sensor or gateway may enrol with it until " +
                             time_text(created.expires()) + " UTC.",
                         Style::kDim, output.screen.colours)
                << "\n";
  return {};
}

}  // namespace aispm::cli
