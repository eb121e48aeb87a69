// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sensor/correlate/correlator.hpp"
#include "tests/support/deflated.hpp"

namespace aispm::sensor {

inline constexpr std::uint64_t kMillisecond = 1'000'000;

// A client process on one TLS connection, as capture would report it: each call is one SSL_write or
// SSL_read, one millisecond after the other.
class Plaintext {
 public:
  explicit Plaintext(std::uint32_t pid = 10, std::uint64_t ssl = 0x1000) {
    key.process = {pid, BootTime{5}};
    key.ssl = ssl;
  }

  TlsChunk chunk(Direction direction, std::string_view bytes) {
    std::uint64_t& offset = direction == Direction::kRead ? read : written;
    TlsChunk one;
    one.time.nanoseconds = now += kMillisecond;
    one.actor.id = key.process;
    one.actor.uid = 1000;
    one.actor.comm = "python3";
    one.key = key;
    one.direction = direction;
    one.offset = offset;
    one.bytes = bytes;
    one.from_start = from_start;
    one.socket = socket;
    one.peer = peer;
    one.last_of_call = true;
    offset += bytes.size();
    return one;
  }
  TlsChunk write(std::string_view bytes) { return chunk(Direction::kWrite, bytes); }
  TlsChunk reply(std::string_view bytes) { return chunk(Direction::kRead, bytes); }
  void lose_written(std::uint64_t size) { written += size; }
  void lose_read(std::uint64_t size) { read += size; }
  TlsClose close() {
    TlsClose end;
    end.time.nanoseconds = now += kMillisecond;
    end.key = key;
    return end;
  }

  TlsKey key;
  std::uint64_t now = 100 * kMillisecond;
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  bool from_start = true;
  std::optional<Endpoints> socket;
  ProcessId peer;
};

// A correlator that keeps what it reports.
struct Recorder {
  explicit Recorder(Correlator::Options options = {})
      : correlator(options, [this](Observation one) { seen.push_back(std::move(one)); }) {}

  std::vector<Observation> of(Observation::Kind kind) const {
    std::vector<Observation> some;
    std::copy_if(seen.begin(), seen.end(), std::back_inserter(some),
                 [kind](const Observation& one) { return one.kind == kind; });
    return some;
  }
  // A request and its reply, each in pieces of `step` bytes.
  void take_exchange(Plaintext& tls, std::string_view request, std::string_view reply,
                     std::size_t step) {
    for (std::size_t i = 0; i < request.size(); i += step)
      correlator.take(tls.write(request.substr(i, step)));
    for (std::size_t i = 0; i < reply.size(); i += step)
      correlator.take(tls.reply(reply.substr(i, step)));
  }
  std::vector<Observation> calls() const { return of(Observation::Kind::kCall); }
  std::vector<Observation> requests() const { return of(Observation::Kind::kRequest); }
  std::uint64_t count(std::string_view cause) const {
    const auto& counters = correlator.counters();
    for (const CounterMap* map : {&counters.by_cause, &counters.activity})
      if (const auto found = map->find(cause); found != map->end()) return found->second;
    return 0;
  }

  std::vector<Observation> seen;
  Correlator correlator;
};

inline std::string post(std::string_view path, std::string_view body, std::string_view extra = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: application/json\r\n" +
         std::string(extra) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

inline std::string ok(std::string_view body,
                      std::string_view extra = "Content-Type: application/json\r\n") {
  return "HTTP/1.1 200 OK\r\n" + std::string(extra) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline std::string chunked(std::string_view body, std::string_view extra, std::size_t size = 100) {
  std::string out =
      "HTTP/1.1 200 OK\r\n" + std::string(extra) + "Transfer-Encoding: chunked\r\n\r\n";
  while (!body.empty()) {
    const std::string_view piece = body.substr(0, size);
    char line[32];
    std::snprintf(line, sizeof line, "%zx\r\n", piece.size());
    out += line + std::string(piece) + "\r\n";
    body.remove_prefix(piece.size());
  }
  return out + "0\r\n\r\n";
}

using aispm::testing::deflated;

inline constexpr std::string_view kAsk =
    R"({"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"look"}}]})";
inline constexpr std::string_view kAnswer =
    R"({"id":"chatcmpl-1","model":"gpt-4o-2024","choices":[{"index":0,"message":{"role":"assistant","content":"hello","tool_calls":[{"id":"c","type":"function","function":{"name":"look","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}})";
inline constexpr std::string_view kStream =
    "data: "
    "{\"id\":\"c9\",\"model\":\"gpt-4o-2024\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
    "\"hel\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
    "data: [DONE]\n\n";

}  // namespace aispm::sensor
