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

// The model's name in the provider's path. Routes and `model_names` name models before clouds do.
std::string_view model_named(const ExchangeState& x) {
  if (!x.translation || !x.sent_model.empty()) return x.model_sent();
  const ProviderConfig& config = x.provider->config();
  return sent_model(config.translate, config.models, x.request.model);
}

// The client's own path with another model in it: Gemini's protocol names the model there. "" where
// nothing is renamed.
std::string renamed_path(const ExchangeState& x) {
  if (x.translation || x.route.model.empty()) return {};
  const ProviderConfig& config = x.provider->config();
  const std::string_view name = x.sent_model.empty()
                                    ? sent_model(config.translate, config.models, x.request.model)
                                    : std::string_view(x.sent_model);
  if (name == x.request.model) return {};
  const std::string_view path = x.route.path;
  constexpr std::string_view kModels = "/models/";
  const auto begin = path.find(kModels);
  const auto end = path.rfind(':');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return std::string(path.substr(0, begin + kModels.size()))
      .append(percent_encoded(name))
      .append(path.substr(end));
}

}  // namespace

Step ExchangeState::address_provider() {
  service_call.reset();
  const ProviderConfig& config = provider->config();
  std::string path = renamed_path(*this);
  if (config.base_path.empty() && config.service == Service::kNone && path.empty()) return {};
  service_call = std::make_unique<ServiceCall>();
  if (path.empty()) path = translation ? translation->path() : std::string(route.path);
  auto found = target_at(config, {.api = translation ? translation->provider() : api,
                                  .is_list = route.kind != RouteKind::kLlm,
                                  .path = path,
                                  .query = translation ? translation->query() : route.query,
                                  .model = model_named(*this),
                                  .streams = request.stream});
  if (!found) return make_refusal(RefusalKind::kNotFound, found.error().message);
  service_call->target = std::move(*found);
  return {};
}

Result<> ExchangeState::adapt_body() {
  // Of a translation: once it is made.
  if (provider->config().service != Service::kBedrock || translation) return {};
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
  const bool is_binary =
      head.status == 200 && codec::find_framing(codec::Api::kAnthropicMessages, head.content_type,
                                                request.stream) == codec::Framing::kEventStream;
  if (is_binary) {
    service_call->stream.emplace();
    if (!translation) framing = codec::Framing::kSse;
  }
  if (translation) return;
  reply_headers =
      is_binary ? "content-type: text/event-stream\r\n" : "content-type: application/json\r\n";
  if (const auto id = head.find("x-amzn-requestid"))
    reply_headers.append("request-id: ").append(*id).append("\r\n");
}

std::string_view ExchangeState::adapted_reply(std::string_view reply) {
  if (status < 400) return reply;
  const bool is_gemini =
      translation ? translation->provider() == codec::Api::kGeminiGenerate : route.streams;
  if (is_gemini) return only_element(reply);
  if (!service_call || provider->config().service != Service::kBedrock) return reply;
  service_call->reply = bedrock_error(status, reply);
  return service_call->reply;
}

}  // namespace aispm::gateway
