// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace aispm::bench {

// Head of a request as the openai Python package sends it.
std::string request_head(std::size_t content_length);
// A chat completion request of exactly 239 bytes.
std::string small_request();
// A messages request in the shape and size of a coding agent's first one: a long system prompt and
// 24 tools, 76 KB.
std::string agent_request();
// One streamed chat completion chunk with five bytes of text.
std::string stream_event();

}  // namespace aispm::bench
