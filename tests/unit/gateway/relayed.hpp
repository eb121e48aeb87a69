// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "gateway/proxy/pipeline/stream_relay.hpp"
#include "sdk/core/codec/reply_framer.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {

// What came of a stream.
struct Relayed {
  StreamRelay::State state;
  std::string out;
  std::string text;                  // what a client puts together
  std::vector<std::string> repeats;  // what it is told again
  std::string arguments;
  std::string finish;
  Findings findings;
};

inline const Secret kHashKey("of this host");

inline codec::Framing framing_of(codec::Api api) {
  return dialect_of(api) == Dialect::kOllama ? codec::Framing::kLines : codec::Framing::kSse;
}

// Reads what a client got as it would.
inline void read_as_client(codec::Api api, Relayed& result, codec::Framing framing) {
  codec::ReplyFramer framer(framing);
  codec::StreamReply client(api);
  framer.feed(result.out);
  while (auto event = *framer.next()) {
    if (!event->has_data) continue;
    const auto read = client.read(*event);
    EXPECT_TRUE(read) << event->data;
    if (!read) continue;
    for (const auto& delta : (*read)->deltas)
      if (delta.is_repeat && delta.channel.kind == codec::ChannelKind::kText)
        result.repeats.emplace_back(delta.text);
  }
  EXPECT_EQ(framer.held_bytes(), 0U) << "an event is not whole";
  result.text = client.text();
  result.finish = client.finish_reason();
  for (const auto& call : client.tool_calls()) result.arguments += call.name + call.arguments;
}

// Runs the stream through a relay, `step` bytes at a time, and reads the output as a client does.
// `why`: how the connection to the provider broke off behind it.
inline Relayed relay(codec::Api api, const std::string& stream, std::size_t step = 1U << 20,
                     bool strip_usage = false, std::optional<codec::Framing> framing = {},
                     bool ends_complete = false, std::string_view why = {}) {
  ScanContext context = make_context();
  context.hash_key = &kHashKey;
  StreamRelay under_test(context, {.api = api,
                                   .framing = framing.value_or(framing_of(api)),
                                   .strip_usage = strip_usage,
                                   .case_id = "case-1",
                                   .model = "m",
                                   .now = 1,
                                   .ends_complete = ends_complete});
  Relayed result{};
  result.state = StreamRelay::State::kRunning;
  for (std::size_t at = 0; at < stream.size() && result.state == StreamRelay::State::kRunning;
       at += step)
    result.state = under_test.feed(std::string_view(stream).substr(at, step), result.out);
  if (result.state == StreamRelay::State::kRunning)
    result.state = under_test.finish(result.out, why);
  result.findings = under_test.findings();
  read_as_client(api, result, framing.value_or(framing_of(api)));
  return result;
}

}  // namespace aispm::gateway
