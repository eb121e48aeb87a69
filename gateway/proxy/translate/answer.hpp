// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// A model's reply as all protocols mean it, whole or as far as it has come.
namespace aispm::gateway::translate {

enum class TextKind : std::uint8_t { kText, kReasoning, kRefusal };

struct Said {
  TextKind kind = TextKind::kText;
  std::string text;
};

struct Call {
  std::string id;
  std::string name;
  std::string arguments;       // a JSON object once the reply is complete
  std::string signature = {};  // what Gemini wants back with the call; "" = none
};

enum class Reason : std::uint8_t { kOpen, kStop, kStopSequence, kLength, kTools, kFilter };

struct Tokens {
  std::uint64_t input = 0;  // cached ones included
  std::uint64_t output = 0;
  std::uint64_t cached = 0;       // of the input: read from a cache
  std::uint64_t cache_write = 0;  // of the input: written to one
  std::uint64_t reasoning = 0;    // of the output
};

struct Answer {
  std::string id;
  std::string model;
  std::vector<Said> said;  // of a stream: what its last event added
  std::vector<Call> calls;
  Reason reason = Reason::kOpen;
  std::string stop_sequence;  // kStopSequence
  std::optional<Tokens> tokens;
};

// What a provider says in place of an answer.
struct Failure {
  std::string type;
  std::string code;
  std::string message;
};

}  // namespace aispm::gateway::translate
