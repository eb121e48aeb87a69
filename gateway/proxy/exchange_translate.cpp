// SPDX-License-Identifier: Apache-2.0
// The half of ExchangeState that is about providers of another protocol than the client's.
#include "gateway/proxy/exchange_translate.hpp"

#include <algorithm>

#include "gateway/proxy/header_policy.hpp"
#include "gateway/proxy/providers/upstream_path.hpp"
#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {
namespace {

using codec::http1::Head;
using codec::http1::Header;
using Providers = std::vector<std::shared_ptr<Provider>>;

bool names(const ProviderConfig& config, std::string_view model) {
  return std::any_of(config.models.begin(), config.models.end(),
                     [&](const std::string& glob) { return policy::glob_matches(glob, model); });
}

bool serves(const ProviderConfig& config, Dialect client) {
  const auto& all = config.translate.serves;
  return std::find(all.begin(), all.end(), client) != all.end();
}

// The first that serves these clients and names the model; with `also_default`, else the first
// without `models`. `all.size()` when there is none.
std::size_t find_serving(const Providers& all, Dialect client, std::string_view model,
                         bool also_default) {
  std::size_t fallback = all.size();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ProviderConfig& config = all[i]->config();
    if (config.translate.serves.empty() || !serves(config, client) ||
        !translate::api_of(config.dialect))
      continue;
    if (names(config, model)) return i;
    if (also_default && config.models.empty()) fallback = std::min(fallback, i);
  }
  return fallback;
}

}  // namespace

// For the provider in its place; the model is the candidate's of a route, where there is one.
Step begin_translation(ExchangeState& x) {
  const ProviderConfig& config = x.provider->config();
  const std::string_view asked = x.model_sent();
  std::string_view named = gateway::sent_model(config.translate, config.models, asked);
  if (!x.sent_model.empty()) named = asked;
  if (config.service != Service::kNone) named = deployment_of(config, named);
  x.translation = std::make_unique<translate::Translation>(
      x.api,
      translate::Target{.api = *translate::api_of(config.dialect),
                        .model = std::string(named),
                        .max_tokens = config.translate.max_tokens,
                        .is_openai_itself = x.provider->event_name() == "openai",
                        .streams = x.request.stream,
                        .is_bedrock = config.service == Service::kBedrock},
      translate::Names{.id = x.event_id,
                       .model = x.request.model,
                       .now = x.started_wall,
                       .as_array = x.route.query.find("alt=sse") == std::string_view::npos});
  // Of the client's own dialect: nothing of them is for another.
  x.forwarded_headers.clear();
  append_request_headers(config.dialect, {}, x.forwarded_headers);
  // Known before anybody is asked about it; what is sent is translated when it is redacted.
  if (auto tried = x.translation->request(x.body); !tried) {
    x.translation.reset();
    return make_refusal(RefusalKind::kBadRequest,
                        "provider " + config.name + " speaks the protocol of " +
                            std::string(name_of(config.dialect)) +
                            ", and this request cannot be said in it: " + tried.error().message);
  }
  x.counters.translated.add();
  return {};
}

bool can_translate(const ExchangeState& x, const Provider& provider) {
  const ProviderConfig& config = provider.config();
  return translate::is_translatable(x.api) && serves(config, x.route.dialect) &&
         translate::api_of(config.dialect);
}

Step ExchangeState::find_translation() {
  if (!translate::is_translatable(api)) return {};
  const Providers& all = providers->all();
  const std::size_t found = find_serving(all, route.dialect, request.model, provider == nullptr);
  if (found == all.size() || (provider && names(provider->config(), request.model))) return {};
  provider = all[found].get();
  return begin_translation(*this);
}

Step ExchangeState::translate_request() {
  if (!translation) return {};
  auto told = translation->request(redacted_body());
  if (!told) return cannot_scan("the request", "redacted, " + told.error().message);
  translated_request = std::move(*told);
  if (!service_call || provider->config().service != Service::kBedrock) return {};
  auto adapted = bedrock_body(translated_request, {});
  if (!adapted) return cannot_scan("the request", adapted.error().message);
  translated_request = std::move(*adapted);
  return {};
}

// A route's candidate, or a translation, has named it already.
void ExchangeState::name_model() {
  if (translation || !sent_model.empty() || (request.model_span.empty() && !names_anew)) return;
  const ProviderConfig& config = provider->config();
  std::string_view name = request.model;
  if (!config.translate.renames_nothing())
    name = gateway::sent_model(config.translate, config.models, name);
  if (service_call) name = deployment_of(config, name);
  if (name != request.model || names_anew) put_model(name);
}

void ExchangeState::put_model(std::string_view name) {
  if (!request.model_span.empty())
    return patches.push_back(codec::string_patch(request.model_span, name));
  // There is always a member before the brace: nothing without content comes this far.
  const std::size_t end = request.end_offset;
  patches.push_back({{end, end}, R"(,"model":)" + codec::json_string(name)});
}

void ExchangeState::append_translated_headers(const Head& head) {
  std::vector<Header> kept;
  for (const Header& header : head.headers)
    if (!codec::http1::equal_name(header.name, "content-type")) kept.push_back(header);
  append_reply_headers(kept, reply_headers);
  reply_headers.append("content-type: ").append(translation->content_type()).append("\r\n");
}

Step ExchangeState::translate_reply(std::string_view& reply) {
  if (!translation) return {};
  auto told = translation->reply(status, reply);
  if (!told)
    return upstream_refusal(
        fail(Errc::kInvalid, "answered something that is no reply: " + told.error().message)
            .value());
  translated_reply = std::move(*told);
  reply = translated_reply;
  return {};
}

}  // namespace aispm::gateway
