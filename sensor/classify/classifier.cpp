// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/classifier.hpp"

#include <algorithm>
#include <utility>

#include "sensor/classify/flow_rules.hpp"

namespace aispm::sensor {
namespace {

// A known port held by a program that is itself known as AI is no guess any more.
constexpr double kPortAndProgramConfidence = 0.95;

model::AiUse make_use(std::string_view evidence, const Signature& signature) {
  model::AiUse use;
  use.evidence = evidence;
  use.provider = signature.provider;
  use.confidence = signature.confidence;
  use.rule = signature.id;
  return use;
}

}  // namespace

std::optional<std::string> Registry::find(const model::Process& process) const {
  for (const std::string& path : executables) {
    const bool covers = path.ends_with('/') ? process.exe.starts_with(path) : process.exe == path;
    if (covers && !process.exe.empty()) return "exe:" + path;
  }
  if (cgroup_ids.contains(process.cgroup_id)) return "cgroup:" + std::to_string(process.cgroup_id);
  if (uids.contains(process.uid)) return "uid:" + std::to_string(process.uid);
  return std::nullopt;
}

Classifier::Classifier(Signatures signatures, Registry registry, Options options)
    : signatures_(std::move(signatures)), registry_(std::move(registry)), options_(options) {}

std::string Classifier::provider_of(std::string_view host, codec::Api api) const {
  if (const Signature* found = signatures_.find_host(host)) return found->provider;
  const std::string_view name = codec::name_of(api);
  return std::string(name.substr(0, name.rfind('.'))) + "-compatible";
}

std::optional<model::AiUse> Classifier::on_llm_call(const model::Process& process,
                                                    const model::LlmCall& call, BootTime now) {
  model::AiUse use;
  use.evidence = "llm_call";
  use.provider = call.provider;
  use.model = call.request_model;
  use.host = call.host;
  use.confidence = 1.0;
  use.rule = "api." + call.api;
  if (const Signature* found = signatures_.find_host(call.host)) use.rule = found->id;
  use.detail = call.api;
  return announce(process, std::move(use), now);
}

std::optional<model::AiUse> Classifier::on_host(const model::Process& process,
                                                std::string_view host, BootTime now) {
  const Signature* found = signatures_.find_host(host);
  if (found == nullptr || found->weak) return std::nullopt;
  model::AiUse use = make_use("endpoint", *found);
  use.host = host;
  use.detail = found->name + " (" + found->category + ")";
  return announce(process, std::move(use), now);
}

std::optional<model::AiUse> Classifier::on_connect(const model::Process& process,
                                                   const model::SocketConnect& connect,
                                                   BootTime now) {
  const Signature* found = signatures_.find_port(connect.destination_port);
  if (found == nullptr) return std::nullopt;
  model::AiUse use = make_use("endpoint", *found);
  use.host = connect.destination_address + ":" + std::to_string(connect.destination_port);
  use.detail = found->name + " default port";
  return announce(process, std::move(use), now);
}

std::optional<model::AiUse> Classifier::on_listen(const model::Process& process,
                                                  const model::SocketListen& listen, BootTime now) {
  const Signature* port = signatures_.find_port(listen.port);
  const Signature* program = signatures_.find_process(process);
  if (program != nullptr && program->weak) program = nullptr;
  const bool is_server = program != nullptr && program->category == "local_model";
  if (port == nullptr && !is_server) return std::nullopt;
  model::AiUse use = make_use("listener", port != nullptr ? *port : *program);
  if (program != nullptr && port != nullptr)
    use.confidence = std::max(use.confidence, kPortAndProgramConfidence);
  use.host = listen.address + ":" + std::to_string(listen.port);
  use.detail = port != nullptr ? port->name + " default port" : program->name;
  return announce(process, std::move(use), now);
}

std::string Classifier::provider_at(std::string_view host) const {
  const Signature* found = signatures_.find_host(host);
  return found == nullptr || found->weak ? "" : found->provider;
}

std::optional<model::AiUse> Classifier::on_name(const model::Process& process,
                                                std::string_view host, BootTime now) {
  const Signature* found = signatures_.find_host(host);
  if (found == nullptr || found->weak) return std::nullopt;
  model::AiUse use = make_use("name", *found);
  use.host = host;
  use.detail = found->name + " (" + found->category + ")";
  return announce(process, std::move(use), now);
}

std::optional<model::AiUse> Classifier::on_flow(const model::Process& process,
                                                const model::SocketClose& flow, BootTime now) {
  if (!is_mcp_flow(flow.name, flow.duration_us, flow.bytes_sent + flow.bytes_received))
    return std::nullopt;
  model::AiUse use;
  use.evidence = "flow";
  use.host = flow.name;
  use.rule = "flow.mcp";
  use.confidence = 0.6;
  use.detail = "a long and quiet connection to an MCP host";
  return announce(process, std::move(use), now);
}

std::optional<model::AiUse> Classifier::on_exec(const model::Process& process, BootTime now) {
  const Signature* found = signatures_.find_process(process);
  if (found == nullptr || found->weak) return std::nullopt;
  model::AiUse use = make_use("process", *found);
  use.detail = found->name + " (" + found->category + ")";
  return announce(process, std::move(use), now);
}

std::optional<std::string> Classifier::agent_name_of(const model::Process& process,
                                                     const model::AiUse& use) const {
  const Signature* found = signatures_.find_process(process);
  if (found != nullptr && found->category == "coding_agent") return found->name;
  if (use.evidence != "llm_call" || found != nullptr) return std::nullopt;
  return "";
}

std::optional<model::AiUse> Classifier::announce(const model::Process& process, model::AiUse use,
                                                 BootTime now) {
  if (!is_news({process.id, use.evidence, use.provider, use.model, use.host}, now)) {
    ++held_back_;
    return std::nullopt;
  }
  if (const auto entry = registry_.find(process)) {
    use.sanctioned = true;
    use.detail += "; sanctioned by " + *entry;
  }
  return use;
}

bool Classifier::is_news(Key key, BootTime now) {
  const auto again = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(options_.announce_again).count());
  const auto found = places_.find(key);
  if (found != places_.end()) {
    const auto place = found->second;
    // Records of several CPUs may come slightly out of order: an earlier time is a repeat too.
    if (now.nanoseconds < place->time.nanoseconds + again) return false;
    place->time = now;
    remembered_.splice(remembered_.end(), remembered_, place);
    return true;
  }
  if (places_.size() >= options_.max_remembered && !remembered_.empty()) {
    places_.erase(remembered_.front().key);
    remembered_.pop_front();
  }
  remembered_.push_back({key, now});
  places_.emplace(std::move(key), std::prev(remembered_.end()));
  return true;
}

}  // namespace aispm::sensor
