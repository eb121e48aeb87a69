// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/correlate/http_message.hpp"
#include "sensor/correlate/party.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Something a process was seen to do in plaintext.
struct Observation {
  enum class Kind : std::uint8_t {
    kHost,       // the first request to `call.host` on this stream, whatever it asked
    kRequest,    // a request to a language model is complete: `call` holds the request's side
    kCall,       // its reply ended, or will not come: `call` is complete
    kAgentCall,  // a call to a tool server or to another agent: `agent_call`
    kTools,      // the tools that a server offers are not what they were: `tools`
  };
  Kind kind = Kind::kHost;
  BootTime time;  // of the request's first byte
  Party party;
  // The answering process, when it is one of this host; its id is zero when it is unknown.
  Actor server;
  // `party` is the server's end, and party.actor the client's process, which is one of this host.
  bool has_local_client = false;
  codec::Api api = codec::Api::kOpenAiChat;  // not for kHost
  // `provider` is left empty: classify knows whose host it is. Texts only when asked for.
  model::LlmCall call;
  ClientWords client;  // kHost
  // `server_process` is left empty: the process table knows `server`.
  std::optional<model::McpCall> agent_call;
  std::optional<model::McpTools> tools;
};

inline Observation make_observation(Observation::Kind kind, const Party& party, BootTime time) {
  Observation seen;
  seen.kind = kind;
  seen.time = time;
  seen.party = party;
  return seen;
}
using ObservationSink = std::function<void(Observation)>;

using CounterMap = std::map<std::string, std::uint64_t, std::less<>>;

// Totals since start.
struct CorrelateCounters {
  // What went wrong or could not be seen, by cause: "http.request.malformed", "reply.encoded",
  // "ignored.http2", ...
  CounterMap by_cause;
  // What was done, and what is none of our business: "connections", "http.requests",
  // "ignored.not_http", ...
  CounterMap activity;
  // Where and what of the latest malformed input, without any of its content.
  std::string last_error;

  void lose(std::string_view cause, std::uint64_t count = 1) { add(by_cause, cause, count); }
  void note(std::string_view what, std::uint64_t count = 1) { add(activity, what, count); }
  // A loss that has a reason; the first of each cause is logged.
  void fail(std::string_view cause, std::string_view why) {
    if (!by_cause.contains(cause)) log::warn("correlate.failed", {{"cause", cause}, {"why", why}});
    lose(cause);
    last_error = std::string(cause) + ": " + std::string(why);
  }

 private:
  static void add(CounterMap& counters, std::string_view name, std::uint64_t count) {
    const auto found = counters.find(name);
    if (found != counters.end()) {
      found->second += count;
    } else {
      counters.emplace(name, count);
    }
  }
};

}  // namespace aispm::sensor
