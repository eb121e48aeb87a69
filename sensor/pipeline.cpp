// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline.hpp"

#include <iterator>
#include <tuple>
#include <utility>
#include <variant>

#include "sdk/core/common/log.hpp"
#include "sensor/classify/port_rules.hpp"
#include "sensor/decode/decode.hpp"
#include "sensor/report/event_builder.hpp"

namespace aispm::sensor {
namespace {

void append(std::vector<model::Detection>& to, std::vector<model::Detection> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// Seen at the server alone, a call is no use by the server.
bool is_served_only(const Observation& seen) {
  return seen.party.is_server && !seen.has_local_client;
}

}  // namespace

Pipeline::Pipeline(Parts parts)
    : parts_(std::move(parts)),
      processes_([this](std::uint32_t pid) { return look_up(pid); }, parts_.user_name,
                 parts_.fill_container),
      correlator_(
          {.keep_text = parts_.keep_text,
           .gateways = parts_.gateways,
           .program_of = [this](const Actor& actor) { return program_of(actor); }},
          [this](Observation seen) { take_observation(std::move(seen)); },
          [this](Coverage::Report seen) { take_coverage(std::move(seen)); }),
      inventory_(
          parts_.classifier, parts_.inventory,
          [this](const model::Process& scanned) { return describe_scanned(scanned); },
          [this](model::Event event) { report_found(std::move(event)); }) {}

std::optional<Exec> Pipeline::look_up(std::uint32_t pid) {
  auto found = parts_.look_up(pid);
  if (found) parts_.behaviour.redact_arguments(found->argv);
  return found;
}

// decode: bytes of a ring become a value

void Pipeline::take_bytes(std::span<const std::byte> bytes) {
  auto record = decode_record(bytes);
  if (record) return take_record(std::move(*record));
  if (malformed_++ == 0) log::error("record.malformed", record.error());
}

void Pipeline::take_record(Record record) {
  ++records_;
  std::visit([this](auto&& one) { take(std::move(one)); }, std::move(record));
}

// processes and sockets: known at once

void Pipeline::take(const Exec& exec) {
  parts_.on_started(exec.actor.id.pid);
  model::Process& process = processes_.learn(exec);
  auto detections = parts_.behaviour.redact_arguments(process.argv);
  auto use = parts_.classifier.on_exec(process, exec.time);
  if (use) append(detections, adopt(process, *use));
  append(detections, parts_.behaviour.on_exec(process, clock_.to_wall(exec.time)));
  tell_guard(process);
  report(exec.time, process, model::ProcessExec{}, std::move(detections));
  if (use) report(exec.time, process, std::move(*use));
  inventory_.observe().on_exec(process);
}

void Pipeline::take(Exit exit) {
  exits_.push_back(std::move(exit));
  if (exits_.size() >= kMaxHeldBack) end_held_back();
}

// A launcher's child opens the doors of a sandbox before it becomes the agent. By the time the
// record is read /proc may show the agent, so what the launcher is decides, and the name that the
// child had then.
bool Pipeline::is_sandbox_door(const Actor& actor) {
  if (launchers_.empty()) return false;
  if (const model::Process* known = processes_.find(actor.id); known != nullptr)
    return launchers_.contains(known->exe);
  const std::string launcher = processes_.exe_of(actor.parent);
  if (!launchers_.contains(launcher)) return false;
  if (launcher.substr(launcher.rfind('/') + 1) != actor.comm) return false;
  if (processes_.find(actor.parent) != nullptr) {
    Actor parent;
    parent.id = actor.parent;
    processes_.learn_fork(parent, actor.id);
  }
  return true;
}

void Pipeline::take(const Listen& listen) {
  if (listen.actor.id.pid == parts_.own_pid) return parts_.on_own_listen(listen.socket.source.port);
  const bool is_door = is_sandbox_door(listen.actor);
  const model::Process& process = processes_.describe(listen.actor);
  const model::SocketListen body = to_body(listen);
  correlator_.take(listen);
  std::vector<model::Detection> detections;
  auto unusual = is_door ? std::nullopt : judge_port(body);
  if (unusual) detections.push_back(std::move(*unusual));
  report(listen.time, process, body, std::move(detections));
  auto use = parts_.classifier.on_listen(process, body, listen.time);
  if (use) parts_.on_model_server(body.port);
  report_use(listen.time, process, std::move(use));
  inventory_.observe().on_listen(process, body);
  if (parts_.on_listening) parts_.on_listening(process.id.pid);
}

void Pipeline::take(const Connect& connect) {
  const model::Process& process = processes_.describe(connect.actor);
  model::SocketConnect body = to_body(connect);
  std::tie(body.name, body.name_source) = correlator_.name_of(connect.socket, connect.time);
  correlator_.take(connect);
  report(connect.time, process, body,
         parts_.behaviour.on_connect(process, body, connect.time, clock_.to_wall(connect.time)));
  report_use(connect.time, process, parts_.classifier.on_connect(process, body, connect.time),
             correlator_.route_of(connect.socket, connect.time));
}

// behaviour: what agents do, and what is done to us

void Pipeline::take(const AgentFork& fork) {
  processes_.learn_fork(fork.actor, fork.child);
  parts_.behaviour.on_fork(fork);
}

void Pipeline::take(const FileOpen& open) {
  const model::Process& process = processes_.describe(open.actor);
  if (auto file = parts_.behaviour.on_open(process, open, clock_.to_wall(open.time)))
    report(open.time, process, std::move(file->access), std::move(file->detections));
}

void Pipeline::take(const RawSocket& socket) {
  const model::Process& process = processes_.describe(socket.actor);
  if (auto found = parts_.behaviour.on_raw_socket(process, socket); !found.empty())
    report(socket.time, process, to_body(socket), std::move(found));
}

void Pipeline::take(const SignalToUs& signal) {
  report(signal.time, processes_.describe(signal.actor), to_body(signal));
}

void Pipeline::take_tamper(BootTime time, model::Tamper tamper) {
  model::Event event;
  event.time = clock_.to_wall(time);
  event.source = model::Source::kSensor;
  event.body = std::move(tamper);
  parts_.sink.offer(std::move(event));
}

// correlate: captured bytes become observations about models and tools

void Pipeline::take(StreamChunk chunk) {
  ++chunks_;
  last_written_ = chunk.time;
  if (!stdio_.take(chunk)) return parts_.drop_stdio(chunk.key.process.pid);
  segments_.take(std::move(chunk), [this](const StreamChunk& one) { correlator_.take(one); });
}

void Pipeline::take(const StreamClose& close) {
  segments_.close(close.key, [this](const StreamChunk& one) { correlator_.take(one); });
  correlator_.take(close);
}

void Pipeline::take(const StdioFound& found) { stdio_.take(found, parts_.on_stdio(found)); }

void Pipeline::take(const LossSnapshot&) {}  // holes show in the offsets; health reports the counts

// names, wire bytes and libraries: what tells how much of the traffic was seen

void Pipeline::take(const NameBytes& bytes) {
  names_.take(bytes, [this](const SeenName& name) { take(name); });
}

void Pipeline::take(const SeenName& name) {
  correlator_.take(name);
  if (parts_.guard != nullptr) parts_.guard->on_name(name);
  if (!name_news_.is_news(name)) return;
  const model::Process& process = processes_.describe(name.actor);
  model::NameSeen body = to_body(name);
  body.provider = parts_.classifier.provider_at(name.name);
  report(name.time, process, std::move(body));
  report_use(name.time, process, parts_.classifier.on_name(process, name.name, name.time));
  // A name that was only looked up may be somebody else's: resolvers ask for all.
  if (name.source != NameSource::kDns) inventory_.observe().on_host(process, name.name);
}

void Pipeline::take(SocketBytes bytes) {
  if (bytes.is_open) return report_totals(bytes);
  closes_.push_back(std::move(bytes));
  if (closes_.size() >= kMaxHeldBack) end_held_back();
}

void Pipeline::report_totals(const SocketBytes& bytes) {
  model::SocketClose body = to_body(bytes);
  std::tie(body.name, body.name_source) = correlator_.name_of(bytes.socket, bytes.time);
  correlator_.take(bytes);
  if (bytes.is_accepted) return;  // the client's end tells it
  const model::Process& process = processes_.describe(bytes.actor);
  report_use(bytes.time, process, parts_.classifier.on_flow(process, body, bytes.time));
  report(bytes.time, process, std::move(body));
}

void Pipeline::take(const TlsLibraryFact& fact) { correlator_.take(fact); }

void Pipeline::end_held_back() {
  for (const SocketBytes& bytes : std::exchange(closes_, {})) report_totals(bytes);
  for (const Exit& exit : std::exchange(exits_, {})) report_exit(exit);
}

void Pipeline::end_batch() {
  end_held_back();
  if (parts_.guard == nullptr) return;
  correlator_.keep_text(parts_.keep_text || parts_.guard->wants_text());
  for (Effect& effect : parts_.guard->take_effects()) report_effect(std::move(effect));
}

void Pipeline::report_exit(const Exit& exit) {
  correlator_.end_process(exit.actor.id, exit.time);
  report(exit.time, processes_.describe(exit.actor), to_body(exit));
  parts_.behaviour.on_exit(exit.actor.id);
  inventory_.observe().on_exit(exit.actor.id);
  if (parts_.guard != nullptr) parts_.guard->on_exit(exit.actor.id);
  processes_.end(exit.actor.id, exit.time);
}

// classify: whose model is it, and is this process allowed to use it

void Pipeline::take_observation(Observation seen) {
  const model::Process& process = processes_.describe(seen.party.actor);
  switch (seen.kind) {
    case Observation::Kind::kHost:
    case Observation::Kind::kRequest:
      return report_model_use(seen, process);
    case Observation::Kind::kCall:
      ++llm_calls_;
      seen.call.provider = parts_.classifier.provider_of(seen.call.host, seen.api);
      if (!parts_.keep_text) {  // asked for by orders alone
        seen.call.prompt_text.clear();
        seen.call.reply_text.clear();
      }
      cut_texts(seen.call);
      inventory_.observe().on_llm_call(process, seen.call, is_served_only(seen));
      return report(seen.time, process, seen.call,
                    bursts_.judge(process.id, seen.call.host, seen.time));
    case Observation::Kind::kAgentCall:
      ++agent_calls_;
      seen.agent_call->server_process = process_of(seen.server);
      inventory_.observe().on_mcp_call(process, *seen.agent_call);
      return report(seen.time, process, std::move(*seen.agent_call));
    case Observation::Kind::kTools:
      seen.tools->server_process = process_of(seen.server);
      return report(seen.time, process, std::move(*seen.tools));
  }
}

void Pipeline::report_model_use(const Observation& seen, const model::Process& process) {
  if (is_served_only(seen)) return;
  if (seen.kind == Observation::Kind::kHost) {
    inventory_.observe().on_host(process, seen.call.host);
    inventory_.observe().on_client_words(process, seen.client.user_agent, seen.client.headers);
    return report_use(seen.time, process,
                      parts_.classifier.on_host(process, seen.call.host, seen.time),
                      seen.call.route);
  }
  model::LlmCall call = seen.call;
  call.provider = parts_.classifier.provider_of(call.host, seen.api);
  judge_prompt(call, seen.party, process);
  report_use(seen.time, process, parts_.classifier.on_llm_call(process, call, seen.time),
             call.route);
}

void Pipeline::take_coverage(Coverage::Report seen) {
  report(seen.time, processes_.describe(seen.actor), std::move(seen.coverage));
}

std::optional<model::Process> Pipeline::process_of(const Actor& actor) {
  if (actor.id.pid == 0) return std::nullopt;
  return processes_.describe(actor);
}

std::string Pipeline::program_of(const Actor& actor) {
  const auto process = process_of(actor);
  if (!process) return "";
  std::string program = process->exe;
  for (const std::string& argument : process->argv) program += '\0' + argument;
  return program;
}

// discovery: what was there before anything happened

void Pipeline::take_found(Found found) {
  if (const auto* news = std::get_if<NewSignatures>(&found))
    parts_.classifier.replace(news->signatures);
  inventory_.take(std::move(found));
}

model::Process Pipeline::describe_scanned(model::Process scanned) {
  if (const model::Process* known = processes_.find_started(scanned.id.pid, scanned.id.start)) {
    model::Process process = *known;
    if (process.container_id.empty()) process.container_id = scanned.container_id;
    if (process.container_image.empty()) process.container_image = scanned.container_image;
    return process;
  }
  scanned.user = parts_.user_name(scanned.uid);
  parts_.behaviour.redact_arguments(scanned.argv);
  return scanned;
}

// decide and enforce: which orders it touches, and what the kernel did about them

void Pipeline::judge_prompt(const model::LlmCall& call, const Party& party,
                            const model::Process& process) {
  if (parts_.guard == nullptr || party.is_server) return;
  parts_.guard->on_prompt(process, parts_.behaviour.agent_of(process.id),
                          party.socket ? party.socket->cookie : 0, call, last_written_);
}

void Pipeline::tell_guard(const model::Process& process) {
  if (parts_.guard != nullptr)
    parts_.guard->on_process(process, parts_.behaviour.agent_of(process.id));
}

void Pipeline::take(const EnforcedAct& act) {
  if (parts_.guard == nullptr) return;
  if (auto effect = parts_.guard->describe(act, processes_.describe(act.actor)))
    report_effect(std::move(*effect));
}

// report

void Pipeline::report_effect(Effect effect) {
  model::Event event = make_event(clock_.to_wall(effect.time), effect.process);
  event.agent_id = parts_.behaviour.agent_of(effect.process.id);
  event.body = std::move(effect.body);
  event.detections = std::move(effect.detections);
  event.decision = std::move(effect.decision);
  parts_.sink.offer(std::move(event));
}

template <typename Body>
void Pipeline::report(BootTime time, const model::Process& process, Body body,
                      std::vector<model::Detection> detections) {
  model::Event event = make_event(clock_.to_wall(time), process);
  event.agent_id = parts_.behaviour.agent_of(process.id);
  event.body = std::move(body);
  event.detections = std::move(detections);
  parts_.sink.offer(std::move(event));
}

void Pipeline::report_use(BootTime time, const model::Process& process,
                          std::optional<model::AiUse> use, std::string route) {
  if (!use) return;
  use->route = std::move(route);
  if (auto secrets = adopt(process, *use); !secrets.empty())
    report(time, process, model::ProcessExec{}, std::move(secrets));
  tell_guard(process);
  report(time, process, std::move(*use));
}

// Whoever calls a model, or is known to be an agent, is one with all it starts.
std::vector<model::Detection> Pipeline::adopt(const model::Process& process,
                                              const model::AiUse& use) {
  const auto name = parts_.classifier.agent_name_of(process, use);
  return name ? parts_.behaviour.adopt(process, *name) : std::vector<model::Detection>();
}

void Pipeline::report_found(model::Event event) {
  event.time = clock_.to_wall(boot_now());
  event.source = model::Source::kSensor;
  if (event.process) event.agent_id = parts_.behaviour.agent_of(event.process->id);
  parts_.sink.offer(std::move(event));
}

void Pipeline::tick(BootTime now) {
  clock_.refresh();
  inventory_.tick(now);
  correlator_.expire(now);
  processes_.forget_ended(now);
}

void Pipeline::finish(BootTime now) {
  end_batch();
  correlator_.close_all(now);
  inventory_.tick(now);
}

}  // namespace aispm::sensor
