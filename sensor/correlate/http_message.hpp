// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/http1.hpp"

// What an exchange needs to know of a message's head, whichever version of HTTP carried it. Views
// live during the call that takes them.
namespace aispm::sensor {

struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::string_view host;  // Host or :authority
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view accept;
  std::string_view mcp_session;  // Mcp-Session-Id
};

// What a client tells about itself.
struct ClientWords {
  static constexpr std::size_t kMaxUserAgentBytes = 256;
  static constexpr std::size_t kMaxHeaders = 64;
  static constexpr std::size_t kMaxHeaderBytes = 64;
  std::string user_agent;            // cut
  std::vector<std::string> headers;  // names only, as sent; longer ones are left out
};

// `fields` have a name and a value each; names that begin with a colon are no headers.
template <typename Fields>
ClientWords client_words(const Fields& fields) {
  ClientWords words;
  for (const auto& field : fields) {
    const std::string_view name = field.name;
    if (codec::http1::equal_name(name, "user-agent") && words.user_agent.empty())
      words.user_agent = std::string_view(field.value).substr(0, ClientWords::kMaxUserAgentBytes);
    if (!name.starts_with(':') && name.size() <= ClientWords::kMaxHeaderBytes &&
        words.headers.size() < ClientWords::kMaxHeaders)
      words.headers.emplace_back(name);
  }
  return words;
}

struct ReplyHead {
  std::uint16_t status = 0;
  std::string_view content_type;
  std::string_view content_encoding;
};

inline RequestHead request_head(const codec::http1::Head& head) {
  return {head.method,
          head.target,
          head.host,
          head.content_type,
          head.content_encoding,
          head.find("accept").value_or(std::string_view()),
          head.find("mcp-session-id").value_or(std::string_view())};
}
inline ReplyHead reply_head(const codec::http1::Head& head) {
  return {head.status, head.content_type, head.content_encoding};
}

// The media type of a Content-Type is `type` ("text/event-stream"), whatever its parameters.
inline bool is_media_type(std::string_view content_type, std::string_view type) {
  return codec::http1::equal_name(content_type.substr(0, content_type.find_first_of("; \t")), type);
}

}  // namespace aispm::sensor
