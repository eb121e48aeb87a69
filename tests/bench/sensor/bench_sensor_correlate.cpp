// SPDX-License-Identifier: Apache-2.0
// What reading captured bytes costs: CPU time of the correlator alone, fed from memory. The median
// of several rounds counts.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sensor/correlate/correlator.hpp"

namespace {

using namespace aispm::sensor;

constexpr int kRounds = 7;
constexpr double kRoundNanoseconds = 100e6;
constexpr std::size_t kChunkBytes = 16384;

double cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// One connection of a client; begins anew each time so that nothing is left of the last.
class Feed {
 public:
  explicit Feed(StreamSource source = StreamSource::kTls) {
    chunk_.key.process.pid = chunk_.actor.id.pid = 10;
    chunk_.key.source = source;
    chunk_.from_start = true;
    chunk_.last_of_call = true;
  }
  void begin() {
    ++chunk_.key.ssl;
    sent_ = received_ = 0;
  }
  void send(Correlator& correlator, std::string_view bytes) {
    give(correlator, Direction::kWrite, sent_, bytes);
  }
  void receive(Correlator& correlator, std::string_view bytes) {
    give(correlator, Direction::kRead, received_, bytes);
  }
  void end(Correlator& correlator) {
    StreamClose close;
    close.key = chunk_.key;
    close.time = chunk_.time;
    correlator.take(close);
  }

 private:
  void give(Correlator& correlator, Direction direction, std::uint64_t& offset,
            std::string_view bytes) {
    chunk_.direction = direction;
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, kChunkBytes);
      chunk_.time.nanoseconds += 1000;
      chunk_.offset = offset;
      chunk_.bytes.assign(piece);
      offset += piece.size();
      bytes.remove_prefix(piece.size());
      correlator.take(chunk_);
    }
  }

  StreamChunk chunk_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

struct Load {
  std::string name;
  std::string unit;  // "MB/s" or "/s"
  double target = 0;
  double per_run = 0;            // megabytes or things
  std::size_t observations = 0;  // that one run must give: a bench of what does not work is none
  std::function<void(Correlator&)> run;
};

std::string ask(std::string_view body) {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string answer(std::string_view type, std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

Load ordinary_bytes() {
  const std::string request = "GET /file HTTP/1.1\r\nHost: files.example\r\n\r\n";
  const std::string reply = answer("application/octet-stream", std::string(4U << 20, 'x'));
  Feed feed;
  return {"correlate ordinary HTTPS",
          "MB/s",
          500,
          megabytes(reply.size()),
          1,
          [=](Correlator& correlator) mutable {
            feed.begin();
            feed.send(correlator, request);
            feed.receive(correlator, reply);
            feed.end(correlator);
          }};
}

Load large_prompts() {
  std::string text;
  while (text.size() < 200'000) text += "the quick brown fox jumps over the lazy dog ";
  const std::string request =
      ask(R"({"model":"gpt-4o","messages":[{"role":"user","content":")" + text + "\"}]}");
  const std::string reply = answer(
      "application/json",
      R"({"id":"c","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}})");
  Feed feed;
  return {"correlate prompts of 200 kB",
          "MB/s",
          100,
          megabytes(request.size()),
          3,
          [=](Correlator& correlator) mutable {
            feed.begin();
            feed.send(correlator, request);
            feed.receive(correlator, reply);
            feed.end(correlator);
          }};
}

Load stream_events() {
  constexpr int kEvents = 1000;
  const std::string request =
      ask(R"({"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]})");
  std::string body;
  for (int i = 0; i < kEvents; ++i)
    body +=
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o\",\"choices\":"
        "[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n";
  const std::string reply = answer("text/event-stream", body + "data: [DONE]\n\n");
  Feed feed;
  return {"correlate events of streamed replies",
          "/s",
          200'000,
          kEvents,
          3,
          [=](Correlator& correlator) mutable {
            feed.begin();
            feed.send(correlator, request);
            feed.receive(correlator, reply);
            feed.end(correlator);
          }};
}

Load small_calls() {
  constexpr int kCalls = 50;
  const std::string request =
      ask(R"({"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]})");
  const std::string reply = answer(
      "application/json",
      R"({"id":"c","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}})");
  Feed feed;
  return {"correlate small calls",
          "/s",
          20'000,
          kCalls,
          2 * kCalls + 1,
          [=](Correlator& correlator) mutable {
            feed.begin();
            for (int i = 0; i < kCalls; ++i) {
              feed.send(correlator, request);
              feed.receive(correlator, reply);
            }
            feed.end(correlator);
          }};
}

Load tool_calls() {
  constexpr int kCalls = 50;
  Feed feed(StreamSource::kStdio);
  return {
      "correlate tool calls over stdio",
      "/s",
      20'000,
      kCalls,
      kCalls,
      [=](Correlator& correlator) mutable {
        feed.begin();
        for (int i = 0; i < kCalls; ++i) {
          const std::string id = std::to_string(i);
          feed.receive(
              correlator,
              R"({"jsonrpc":"2.0","id":)" + id +
                  R"(,"method":"tools/call","params":{"name":"read","arguments":{"path":"/tmp/x"}}})" +
                  "\n");
          feed.send(correlator, R"({"jsonrpc":"2.0","id":)" + id +
                                    R"(,"result":{"content":[{"type":"text","text":"hello"}]}})" +
                                    "\n");
        }
        feed.end(correlator);
      }};
}

double measure(Load& load) {
  std::size_t seen = 0;
  Correlator correlator({}, [&](const Observation&) { ++seen; });
  load.run(correlator);
  if (seen != load.observations) {
    std::fprintf(stderr, "%s: %zu observations instead of %zu\n", load.name.c_str(), seen,
                 load.observations);
    std::exit(1);
  }
  std::vector<double> rates;
  for (int round = 0; round < kRounds; ++round) {
    double runs = 0;
    const double begun = cpu_now();
    double now = begun;
    while (now - begun < kRoundNanoseconds) {
      load.run(correlator);
      ++runs;
      now = cpu_now();
    }
    rates.push_back(runs * load.per_run / ((now - begun) / 1e9));
  }
  std::sort(rates.begin(), rates.end());
  return rates[rates.size() / 2];
}

}  // namespace

int main() {
  std::vector<Load> loads = {ordinary_bytes(), large_prompts(), stream_events(), small_calls(),
                             tool_calls()};
  for (Load& load : loads) {
    const double rate = measure(load);
    std::printf("{\"name\":\"%s\",\"value\":%.0f,\"unit\":\"%s\",\"target\":%.0f,\"ok\":%s}\n",
                load.name.c_str(), rate, load.unit.c_str(), load.target,
                rate >= load.target ? "true" : "false");
  }
  return 0;
}
