// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Something a process was seen to do in plaintext HTTP.
struct Observation {
  enum class Kind : std::uint8_t {
    kHost,     // the first request to `call.host` on this connection, whatever it asked
    kRequest,  // a request to a language model is complete: `call` holds the request's side
    kCall,     // its reply ended, or will not come: `call` is complete
  };
  Kind kind = Kind::kHost;
  BootTime time;  // of the request's first byte
  Actor actor;
  TlsKey key;
  std::optional<Endpoints> socket;
  codec::Api api = codec::Api::kOpenAiChat;  // not for kHost
  // `provider` is left empty: classify knows whose host it is. Texts only when asked for.
  model::LlmCall call;
};
using ObservationSink = std::function<void(Observation)>;

// What went wrong or was left out, by cause ("http.request.malformed"): totals since start.
// `last_error` says where and what of the latest malformed input, without any of its content.
struct CorrelateCounters {
  std::map<std::string, std::uint64_t, std::less<>> by_cause;
  std::string last_error;

  void add(std::string_view cause, std::uint64_t count = 1) {
    const auto found = by_cause.find(cause);
    if (found != by_cause.end()) {
      found->second += count;
    } else {
      by_cause.emplace(cause, count);
    }
  }
};

}  // namespace aispm::sensor
