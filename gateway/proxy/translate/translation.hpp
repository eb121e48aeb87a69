// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/proxy/dialect.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"
#include "gateway/proxy/translate/request_forms.hpp"
#include "sdk/core/codec/reply_framer.hpp"

namespace aispm::gateway::translate {

// Whether requests of that API can be translated at all.
bool is_translatable(codec::Api client);
// What a provider of that dialect is asked by; nullopt where nothing can be translated for it.
std::optional<codec::Api> api_of(Dialect provider);

// One exchange between a client and a provider that speak different protocols. The request is
// translated after it was judged and redacted, the reply before it is. Not thread-safe.
class Translation {
 public:
  // `target.api` is the provider's.
  Translation(codec::Api client, Target target, Names names);

  // Path of the provider's API, and what stands behind it ("?alt=sse"; "" = nothing).
  std::string path() const;
  std::string_view query() const;
  codec::Api provider() const { return target_.api; }

  // The provider's request for the client's `body`. kInvalid: "FIELD: why it cannot be said there".
  Result<std::string> request(std::string_view body);

  // The reply begins: how the client gets it when it streams; nullopt when it is one body.
  std::optional<codec::Framing> open_reply(std::string_view content_type, bool streams);
  std::string_view content_type() const;  // for the client

  // A reply that came whole. What is no JSON stays as it is; kInvalid when it cannot be told.
  Result<std::string> reply(int status, std::string_view body) const;

  // The next bytes of a streamed reply; appends what the client is to get. After an error the
  // stream must be ended.
  Result<> feed(std::string_view bytes, std::string& out);
  // The provider's body is complete. kInvalid when the reply is not.
  Result<> finish(std::string& out);

 private:
  Result<> take(const codec::SseEvent& event, std::string& out);
  Result<> end(std::string& out);

  codec::Api client_;
  Target target_;
  Names names_;
  bool asks_stream_ = false;  // the client does
  bool streams_ = false;
  bool is_begun_ = false;
  bool is_over_ = false;  // the client got its end
  std::optional<codec::ReplyFramer> framer_;
  std::unique_ptr<StreamReader> reader_;
  std::unique_ptr<StreamWriter> writer_;
};

}  // namespace aispm::gateway::translate
