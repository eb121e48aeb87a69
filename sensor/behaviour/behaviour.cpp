// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/behaviour.hpp"

#include <algorithm>
#include <utility>

namespace aispm::sensor {
namespace {

constexpr std::uint32_t kPacketFamily = 17;  // AF_PACKET
// Agents and secrets of one agent whose secrets are remembered as told.
constexpr std::size_t kMaxTold = 1024;
// A process of ours is no agent, even though the gateway calls models.
constexpr std::string_view kOwnPrefix = "aispm-";

std::string_view base_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

// Of a file, for a baseline: single files would fill it with temporary names.
std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string_view::npos || slash == 0 ? path : path.substr(0, slash);
}

// Where a file is, as a baseline knows it: /proc has folders for each process and thread that ever
// ran, and they are one place.
std::string place_of(std::string_view path) {
  const std::string_view folder = folder_of(path);
  if (!folder.starts_with("/proc/")) return std::string(folder);
  std::string place;
  for (std::size_t at = 1; at <= folder.size();) {
    const std::size_t end = std::min(folder.find('/', at), folder.size());
    const std::string_view part = folder.substr(at, end - at);
    const bool is_id = part.find_first_not_of("0123456789") == std::string_view::npos;
    place += '/';
    place += is_id && !part.empty() ? std::string_view("<id>") : part;
    at = end + 1;
  }
  return place;
}

std::string socket_text(const RawSocket& socket) {
  return std::string(socket.family == kPacketFamily ? "AF_PACKET" : "SOCK_RAW") + " protocol " +
         std::to_string(socket.protocol);
}

}  // namespace

Behaviour::Behaviour(Parts parts)
    : parts_(std::move(parts)),
      trees_(parts_.on_join),
      baselines_(parts_.learning),
      rate_(parts_.rules.connection_limit, parts_.rules.connection_window) {}

Behaviour::Detections Behaviour::adopt(const model::Process& process,
                                       std::string_view signature_name) {
  if (!agent_of(process.id).empty() || base_name(process.exe).starts_with(kOwnPrefix)) return {};
  const std::string name = agent_name(process, signature_name);
  if (!trees_.adopt(process.id, name, parts_.descendants(process.id))) return {};
  return find_in_environment(process, name);
}

Behaviour::Detections Behaviour::redact_arguments(std::vector<std::string>& arguments) {
  if (!parts_.secrets) return {};
  Detections found = parts_.secrets->redact(arguments);
  told_ += found.size();
  return found;
}

Behaviour::Detections Behaviour::find_in_environment(const model::Process& process,
                                                     std::string_view agent) {
  if (!parts_.secrets) return {};
  Detections found = parts_.secrets->find(parts_.environment(process.id).expose());
  // Children inherit the environment: each secret is told once for an agent.
  if (told_secrets_.size() >= kMaxTold) told_secrets_.erase(told_secrets_.begin());
  auto& told = told_secrets_[std::string(agent)];
  std::erase_if(found, [&told](const model::Detection& one) {
    return told.size() >= kMaxTold || !told.insert(one.rule_id + one.evidence).second;
  });
  told_ += found.size();
  return found;
}

void Behaviour::note_news(Detections& out, std::string_view agent, BaselineKind kind,
                          std::string_view item, WallTime now) {
  if (!baselines_.see(agent, kind, item, now)) return;
  out.push_back(behaviour_detection("unexpected_dependency", model::Severity::kLow,
                                    std::string(name_of(kind)) + " " + std::string(item),
                                    "Never seen while this agent's baseline was learned"));
}

Behaviour::Detections Behaviour::on_exec(const model::Process& process, WallTime now) {
  trees_.on_exec(process);
  const std::string agent(agent_of(process.id));
  if (agent.empty()) return {};
  Detections found = find_in_environment(process, agent);
  const std::string_view program = base_name(process.exe);
  // The name it was called by counts too: busybox and dash are many programs.
  const std::string_view called = process.argv.empty() ? program : base_name(process.argv[0]);
  const auto& shells = parts_.rules.shells;
  const auto is_shell = [&](std::string_view name) {
    return std::find(shells.begin(), shells.end(), name) != shells.end();
  };
  if (parts_.rules.shell_spawn && (is_shell(program) || is_shell(called)))
    found.push_back(behaviour_detection("shell_spawn", *parts_.rules.shell_spawn, process.exe,
                                        "An agent started a shell"));
  if (!process.exe.empty()) note_news(found, agent, BaselineKind::kExecutable, process.exe, now);
  told_ += found.size();
  return found;
}

Behaviour::Detections Behaviour::on_connect(const model::Process& process,
                                            const model::SocketConnect& connect, BootTime time,
                                            WallTime now) {
  const std::string_view agent = agent_of(process.id);
  if (agent.empty()) return {};
  Detections found;
  const std::string where =
      connect.destination_address + ":" + std::to_string(connect.destination_port);
  if (parts_.rules.connection_rate && rate_.add(agent, time))
    found.push_back(behaviour_detection(
        "connection_rate", *parts_.rules.connection_rate,
        "more than " + std::to_string(parts_.rules.connection_limit) + " in " +
            std::to_string(parts_.rules.connection_window.count()) + " s, last to " + where,
        "An agent opens connections at an unusual rate"));
  note_news(found, agent, BaselineKind::kDestination, where, now);
  told_ += found.size();
  return found;
}

Behaviour::Detections Behaviour::on_raw_socket(const model::Process& process,
                                               const RawSocket& socket) {
  if (!parts_.rules.raw_socket || agent_of(process.id).empty()) return {};
  ++told_;
  return {behaviour_detection("raw_socket", *parts_.rules.raw_socket, socket_text(socket),
                              "An agent asked for a raw or packet socket")};
}

std::optional<Behaviour::File> Behaviour::on_open(const model::Process& process,
                                                  const FileOpen& open, WallTime now) {
  const std::string_view agent = agent_of(process.id);
  if (agent.empty()) return std::nullopt;
  File file;
  const FileRule* rule = parts_.rules.find_file(open.path, open.writes, open.size_bytes);
  if (rule != nullptr)
    file.detections.push_back(
        behaviour_detection(rule->id, rule->severity, open.path, rule->message));
  note_news(file.detections, agent, BaselineKind::kFile, place_of(open.path), now);
  if (file.detections.empty()) return std::nullopt;
  told_ += file.detections.size();
  file.access.path = open.path;
  file.access.operation = open.created ? "create" : open.writes ? "write" : "read";
  file.access.file_class = rule != nullptr ? rule->file_class : "other";
  file.access.size_bytes = open.size_bytes;
  file.access.outcome = "allowed";
  return file;
}

void Behaviour::add_health(model::ComponentHealth& health) const {
  health.counters["agents"] = trees_.agents();
  health.counters["agents.processes"] = trees_.size();
  health.counters["behaviour.detections"] = told_;
  health.counters["baselines.agents"] = baselines_.agents();
  health.losses["agents.refused"] = trees_.refused();
  health.losses["baselines.not_learned"] = baselines_.not_learned();
  if (parts_.secrets) health.losses["secrets.not_judged"] = parts_.secrets->not_judged();
}

}  // namespace aispm::sensor
