// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/attribution.hpp"

#include <algorithm>
#include <string_view>

namespace aispm::sensor {
namespace {

// The name that the process asked for fits one open connection of its, or several.
constexpr double kOnlyNamedConfidence = 0.9;
constexpr double kOneOfNamedConfidence = 0.5;

std::string_view method_name(AttributionMethod method) {
  switch (method) {
    case AttributionMethod::kSocket:
      return "socket";
    case AttributionMethod::kThreadSequence:
      return "thread_sequence";
    case AttributionMethod::kSni:
      return "sni";
    case AttributionMethod::kNone:
      break;
  }
  return "none";
}

std::string_view without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.ends_with(']')) return host;
  return host.substr(0, colon);
}

std::string text_of(const Address& address) {
  const bool is_v6 = address.host_text().find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + address.host_text() + "]" : address.host_text();
  return address.port == 443 ? host : host + ":" + std::to_string(address.port);
}

}  // namespace

void Attributor::complete(Observation& seen) {
  if (seen.party.key.source == StreamSource::kStdio) return complete_stdio(seen);
  seen.party.is_server ? complete_server(seen) : complete_client(seen);
}

void Attributor::set_socket(Observation& seen) {
  Party& party = seen.party;
  if (party.socket) {
    // A record that names a socket and no method got it from the library's own I/O.
    if (party.attribution.method == AttributionMethod::kNone)
      party.attribution = {AttributionMethod::kSocket, 1.0};
    return;
  }
  const auto named = sockets_.find_by_name(party.actor.id, without_port(seen.call.host));
  if (!named) return;
  party.socket = named->socket;
  party.attribution = {AttributionMethod::kSni,
                       named->candidates == 1 ? kOnlyNamedConfidence : kOneOfNamedConfidence};
}

void Attributor::complete_client(Observation& seen) {
  set_socket(seen);
  const auto& socket = seen.party.socket;
  std::string name;
  if (socket) {
    name = sockets_.name_of(*socket, seen.time);
    if (seen.call.host.empty()) {
      seen.call.host = name.empty() ? text_of(socket->destination) : name;
      if (!name.empty() && socket->destination.port != 443)
        seen.call.host += ":" + std::to_string(socket->destination.port);
    }
    seen.call.destination_address = socket->destination.host_text();
    seen.call.destination_port = socket->destination.port;
  }
  seen.call.attribution = method_name(seen.party.attribution.method);
  seen.call.attribution_confidence = socket ? seen.party.attribution.confidence : 0;
  seen.call.route = judge_.judge(seen.call.host, name, socket);
  // What the gateway sends on went through the gateway.
  if (seen.call.route == "direct" && is_gateway_process(seen.party.actor.id))
    seen.call.route = "gateway";
  if (socket && seen.call.route != "direct")
    if (const auto listener = sockets_.listener_at(socket->destination)) seen.server = *listener;
}

void Attributor::complete_server(Observation& seen) {
  seen.server = seen.party.actor;
  seen.call.route = "local";
  const auto& socket = seen.party.socket;
  if (!socket) {
    seen.call.attribution = method_name(AttributionMethod::kNone);
    return;
  }
  if (seen.call.host.empty()) seen.call.host = text_of(socket->source);
  if (judge_.is_gateway(socket->source) || is_gateway_process(seen.server.id))
    seen.call.route = "gateway";
  seen.call.destination_address = socket->source.host_text();
  seen.call.destination_port = socket->source.port;
  seen.call.attribution = method_name(AttributionMethod::kSocket);
  seen.call.attribution_confidence = 1.0;
  if (const auto client = sockets_.client_of(*socket)) {
    seen.party.actor = *client;
    seen.has_local_client = true;
  }
}

// The child answers; its parent asks.
void Attributor::complete_stdio(Observation& seen) {
  seen.server = seen.party.actor;
  if (seen.party.peer.pid == 0) return;
  // Of the parent only its id is known here; a child runs as its parent's user, as a rule.
  seen.party.actor.id = seen.party.peer;
  seen.party.actor.parent = {};
  seen.party.actor.comm.clear();
  seen.has_local_client = true;
}

bool Attributor::is_gateway_process(const ProcessId& process) {
  const auto listened = sockets_.listened_by(process);
  return std::any_of(listened.begin(), listened.end(), [this](const Address& address) {
    return judge_.is_gateway_listener(address);
  });
}

}  // namespace aispm::sensor
