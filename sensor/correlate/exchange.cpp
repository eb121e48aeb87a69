// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/exchange.hpp"

#include <utility>

#include "sensor/correlate/agent_exchange.hpp"
#include "sensor/correlate/llm_exchange.hpp"

namespace aispm::sensor {
namespace {

// Host text is the client's; it goes into events and keys.
constexpr std::size_t kMaxHostBytes = 253;

// Lists of models ask no model anything, and a realtime session begins with its first message.
bool has_calls(codec::Api api) {
  return api != codec::Api::kOpenAiModels && api != codec::Api::kOllamaTags &&
         api != codec::Api::kOpenAiRealtime;
}

}  // namespace

std::unique_ptr<Exchange> make_exchange(const RequestHead& head, const Party& party, BootTime begun,
                                        Context context) {
  if (const auto route = codec::find_route(head.method, head.target);
      route && has_calls(route->api))
    return std::make_unique<LlmExchange>(*route, head, party, begun, context);
  if (const auto role = AgentExchange::role_of(head))
    return std::make_unique<AgentExchange>(*role, head, party, begun, context);
  return std::make_unique<Exchange>(head.method);
}

void announce_host(std::string_view host, ClientWords words, const Party& party, BootTime time,
                   const Context& context) {
  Observation seen = make_observation(Observation::Kind::kHost, party, time);
  seen.call.host = host_text(host);
  seen.client = std::move(words);
  context.sink(std::move(seen));
}

std::uint64_t microseconds(BootTime from, BootTime to) {
  return to > from ? (to.nanoseconds - from.nanoseconds) / 1000 : 0;
}

std::string host_text(std::string_view host) {
  if (host.ends_with(":443")) host.remove_suffix(4);
  std::string text(host.substr(0, kMaxHostBytes));
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

}  // namespace aispm::sensor
