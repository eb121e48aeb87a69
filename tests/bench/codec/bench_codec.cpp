// SPDX-License-Identifier: Apache-2.0
// Costs of the codec in CPU nanoseconds, beside what others need for the same bytes. Rounds of all
// are interleaved and the median round counts, so that a noisy neighbour hits all alike.
#include <simdjson.h>
#include <time.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/sse.hpp"
#include "tests/bench/codec/case.hpp"
#include "tests/bench/codec/samples.hpp"

namespace {

using namespace aispm;
using bench::Case;
using bench::give_up;

constexpr int kRounds = 9;
constexpr double kRoundNanoseconds = 30e6;
constexpr double kStreamEventTargetNanoseconds =
    3000;  // DESIGN section 11: per event, all steps together

double cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void measure(std::vector<Case>& cases) {
  for (int round = 0; round < kRounds; ++round) {
    for (Case& one : cases) {
      std::size_t runs = 0;
      const double begun = cpu_now();
      double now = begun;
      while (now - begun < kRoundNanoseconds) {
        for (int i = 0; i < 16; ++i) one.run();
        runs += 16;
        now = cpu_now();
      }
      one.rounds.push_back((now - begun) / static_cast<double>(runs));
    }
  }
}

void print(std::vector<Case>& cases) {
  for (Case& one : cases) {
    double target = one.target;
    for (Case& other : cases)
      if (!one.peer.empty() && other.name == one.peer) target = other.median();
    if (target > 0) {
      std::printf(R"({"name":"%s","value":%.0f,"unit":"ns","target":%.0f,"ok":%s})"
                  "\n",
                  one.name.c_str(), one.median(), target,
                  one.median() <= target ? "true" : "false");
    } else {
      std::printf(R"({"name":"%s","value":%.0f,"unit":"ns","target":null,"ok":null})"
                  "\n",
                  one.name.c_str(), one.median());
    }
  }
}

}  // namespace

int main() {
  const std::string small = bench::small_request();
  const std::string large = bench::agent_request();
  const std::string head = bench::request_head(small.size());
  const std::string event = bench::stream_event();
  std::fprintf(stderr, "head %zu B, small %zu B, agent %zu B, event %zu B\n", head.size(),
               small.size(), large.size(), event.size());

  codec::http1::HeadParser heads(codec::http1::HeadParser::Role::kRequest);
  simdjson::dom::parser dom;
  const simdjson::padded_string small_padded(small);
  const simdjson::padded_string large_padded(large);
  codec::SseParser events;
  codec::StreamReply reply(codec::Api::kOpenAiChat);

  std::vector<Case> cases;
  cases.push_back({"codec.head",
                   [&] {
                     const auto parsed = heads.parse(head);
                     if (!parsed || !*parsed || (*parsed)->content_length != small.size())
                       give_up("head");
                   },
                   "peer.beast.head"});
  cases.push_back({"peer.beast.head",
                   [&] {
                     boost::beast::http::request_parser<boost::beast::http::empty_body> parser;
                     boost::beast::error_code error;
                     parser.put(boost::asio::buffer(head), error);
                     if (!parser.is_header_done()) give_up("beast");
                   },
                   ""});
  const auto request = [](codec::Api api, const std::string& body) {
    const auto parsed = codec::parse_request(api, body);
    if (!parsed || parsed->parts.empty()) give_up("request");
  };
  cases.push_back({"codec.request.239B", [&] { request(codec::Api::kOpenAiChat, small); }, ""});
  cases.push_back({"peer.simdjson_dom.239B",
                   [&] {
                     if (dom.parse(small_padded).error()) give_up("dom");
                   },
                   ""});
  cases.push_back(
      {"codec.request.76KB", [&] { request(codec::Api::kAnthropicMessages, large); }, ""});
  cases.push_back({"peer.simdjson_dom.76KB",
                   [&] {
                     if (dom.parse(large_padded).error()) give_up("dom");
                   },
                   ""});
  const auto parsed_large = codec::parse_request(codec::Api::kAnthropicMessages, large);
  if (!parsed_large) give_up("request");
  cases.push_back({"codec.prompt_sha256.76KB",
                   [&] {
                     if (codec::prompt_sha256(*parsed_large).empty()) give_up("hash");
                   },
                   ""});
  cases.push_back({"codec.sse_event",
                   [&] {
                     events.feed(event);
                     const auto one = events.next();
                     if (!one || !*one) give_up("sse");
                   },
                   ""});
  cases.push_back({"codec.stream_event",
                   [&] {
                     events.feed(event);
                     const auto one = events.next();
                     if (reply.is_cut()) reply = codec::StreamReply(codec::Api::kOpenAiChat);
                     const auto read = reply.read(**one);
                     if (!read || (*read)->deltas.size() != 1) give_up("stream");
                   },
                   "", kStreamEventTargetNanoseconds});
  bench::add_protocol_cases(cases);
  measure(cases);
  print(cases);
  return 0;
}
