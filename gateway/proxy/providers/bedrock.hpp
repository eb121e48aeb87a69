// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/codec/reply_framer.hpp"
#include "sdk/core/common/result.hpp"

// Anthropic's messages as Amazon Bedrock's InvokeModel takes and gives them.
namespace aispm::gateway {

// The body for InvokeModel: without `model` and `stream`, which the path says, with the version
// that it demands, and with the betas that came as a header (comma-separated; "" = none).
Result<std::string> bedrock_body(std::string_view body, std::string_view betas);

// An error body of Bedrock's in Anthropic's form. `status` is the reply's.
std::string bedrock_error(int status, std::string_view body);

// Bedrock's binary event stream as Anthropic's own server-sent events. Not thread-safe.
class BedrockStream {
 public:
  // Appends the events that are complete. kInvalid, kTooLarge: the stream cannot be read on.
  Result<> feed(std::string_view bytes, std::string& out);

 private:
  Result<> take(const codec::SseEvent& event, std::string& out);
  codec::ReplyFramer framer_{codec::Framing::kEventStream};
};

}  // namespace aispm::gateway
