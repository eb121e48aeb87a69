// SPDX-License-Identifier: Apache-2.0
// What ExchangeState does for providers that serve their dialect in ways of their own: base paths,
// Azure, Bedrock.
#include "gateway/proxy/exchange_state.hpp"
#include "gateway/proxy/providers/aws_signature.hpp"
#include "gateway/proxy/providers/upstream_path.hpp"
#include "gateway/proxy/translate/translation.hpp"

namespace aispm::gateway {

using codec::http1::equal_name;

namespace {

constexpr std::string_view kBedrockService = "bedrock";

// The value of a line among those that append_request_headers() wrote; "" when it is not there.
std::string_view value_of(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && equal_name(line.substr(0, colon), name)) {
      const std::string_view value = line.substr(colon + 1);
      return value.substr(std::min(value.find_first_not_of(' '), value.size()));
    }
    lines.remove_prefix(std::min(line.size() + 2, lines.size()));
  }
  return {};
}

// Gemini says an error as an array of one where a stream would have been an array. Clients read
// both.
std::string_view only_element(std::string_view reply) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = reply.find_first_not_of(kSpace);
  const auto end = reply.find_last_not_of(kSpace);
  if (begin == std::string_view::npos || reply[begin] != '[' || reply[end] != ']') return reply;
  return reply.substr(begin + 1, end - begin - 1);
}

}  // namespace

Step ExchangeState::address_provider() {
  service_call.reset();
  const ProviderConfig& config = provider->config();
  if (config.base_path.empty() && config.service == Service::kNone) return {};
  service_call = std::make_unique<ServiceCall>();
  auto found = target_at(config, {.api = api,
                                  .is_list = route.kind != RouteKind::kLlm,
                                  .path = translation ? translation->path() : route.path,
                                  .query = translation ? std::string_view{} : route.query,
                                  .model = model_sent(),
                                  .streams = request.stream});
  if (!found) return make_refusal(RefusalKind::kNotFound, found.error().message);
  service_call->target = std::move(*found);
  return {};
}

Result<> ExchangeState::adapt_body() {
  if (provider->config().service != Service::kBedrock) return {};
  const std::string_view betas = value_of(forwarded_headers, "anthropic-beta");
  AISPM_TRY(patched_body, bedrock_body(outgoing_body(), betas));
  return {};
}

void ExchangeState::write_service_lines() {
  const ProviderConfig& config = provider->config();
  if (config.service != Service::kBedrock) {
    request_head.append(forwarded_headers);
    return;
  }
  request_head += aws_signature_lines({.method = "POST",
                                       .host = provider->authority(),
                                       .path = service_call->target,
                                       .body = outgoing_body(),
                                       .region = config.region,
                                       .service = kBedrockService},
                                      {.access_key_id = config.access_key_id,
                                       .secret_key = config.key.expose(),
                                       .session_token = config.session_token.expose()},
                                      wall_now().nanoseconds / 1'000'000'000);
}

void ExchangeState::adapt_reply_head(const codec::http1::Head& head) {
  if (provider->config().service != Service::kBedrock) return;
  const bool is_binary = framing == codec::Framing::kEventStream;
  if (is_binary) {
    service_call->stream.emplace();
    framing = codec::Framing::kSse;
  }
  reply_headers =
      is_binary ? "content-type: text/event-stream\r\n" : "content-type: application/json\r\n";
  if (const auto id = head.find("x-amzn-requestid"))
    reply_headers.append("request-id: ").append(*id).append("\r\n");
}

std::string_view ExchangeState::adapted_reply(std::string_view reply) {
  if (status < 400) return reply;
  if (route.streams) return only_element(reply);
  if (!service_call || provider->config().service != Service::kBedrock) return reply;
  service_call->reply = bedrock_error(status, reply);
  return service_call->reply;
}

}  // namespace aispm::gateway
