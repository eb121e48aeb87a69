// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/route_plan.hpp"

#include "gateway/proxy/exchange_translate.hpp"
#include "gateway/proxy/traffic/arm_record.hpp"
#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/common/utf8.hpp"

namespace aispm::gateway {
namespace {

// Whose candidate is drawn: a session keeps its own, else a caller does.
std::string drawn_for(const Caller& caller) { return caller.key() + '\n' + caller.session_id; }

bool choose_candidates(const ExchangeState& x, const RouteConfig& route,
                       std::vector<std::size_t>& order) {
  order = order_candidates(route, x.services.hash_key, drawn_for(x.caller));
  std::erase_if(order, [&](std::size_t place) {
    const Provider* const provider = find_provider(*x.providers, route.candidates[place].provider);
    return provider == nullptr ||
           (provider->config().dialect != x.route.dialect && !can_translate(x, *provider));
  });
  return !order.empty();
}

}  // namespace

void RoutePlan::note_failure(const std::string& name, const std::string& why) {
  if (failures.size() >= kMaxFailures) return;
  std::string text = name + ": " + why;
  (void)cut_utf8(text, kMaxFailureBytes);
  failures.push_back(std::move(text));
}

Provider* find_provider(const ProviderSet& providers, std::string_view name) {
  for (const auto& one : providers.all())
    if (one->config().name == name) return one.get();
  return nullptr;
}

void plan_route(ExchangeState& x) {
  Traffic& traffic = *x.services.traffic;
  std::vector<std::size_t> order;
  Traffic::Route* fits = nullptr;
  for (const auto& route : traffic.routes()) {
    if (!fits_model(route->config.models, x.request.model)) continue;
    if (!choose_candidates(x, route->config, order)) continue;
    fits = route.get();
    break;
  }
  if (fits == nullptr && !traffic.keeps_answers_of(x.request.model)) return;
  x.plan = std::make_shared<RoutePlan>(RoutePlan{
      .traffic = traffic, .order = {}, .failures = {}, .patches = {}, .cache_key = {}, .hit = {}});
  if (fits == nullptr) return;
  RoutePlan& plan = *x.plan;
  plan.route = fits;
  plan.order = std::move(order);
  plan.client_headers = x.forwarded_headers;
  // It is judged for whom it will most likely be sent to.
  const auto now = net::Clock::now();
  for (std::size_t place = 0; place < plan.order.size(); ++place) {
    if (fits->arms[plan.order[place]]->breaker.refuses(now)) continue;
    plan.begin = place;
    break;
  }
  plan.arm = fits->arms[plan.order[plan.begin]].get();
  x.provider = find_provider(*x.providers, plan.arm->config.provider);
  x.sent_model = plan.arm->config.model;
}

Result<> prepare_request(ExchangeState& x, const CandidateConfig& to) {
  x.patches = x.plan->patches;
  x.patched_body.clear();
  x.request_head.clear();
  x.translation.reset();
  x.forwarded_headers = x.plan->client_headers;
  if (x.provider->config().dialect != x.route.dialect) {
    if (Step step = begin_translation(x); step) {
      x.plan->cannot_say = std::move(*step);
      return fail(Errc::kInvalid, x.plan->cannot_say->message);
    }
  } else if (!to.model.empty() && (to.model != x.request.model || x.names_anew)) {
    // Gemini's clients name it in the path, where address_provider() puts the other one.
    if (x.request.model_span.empty() && x.route.model.empty())
      return fail(Errc::kInvalid, "the request names no model that could be replaced");
    if (!x.request.model_span.empty() || x.names_anew) x.put_model(to.model);
  }
  if (const Step step = x.address_provider(); step) return fail(Errc::kInvalid, step->message);
  AISPM_CHECK(x.patch_body());
  if (const Step step = x.translate_request(); step) return fail(Errc::kInvalid, step->message);
  x.write_request_head();
  return {};
}

void note_broken_reply(ExchangeState& x) {
  RoutePlan& plan = *x.plan;
  // Who cut it short was we, or the client.
  if (plan.served == nullptr || x.is_stopped || x.broken || x.client.stream().peer_is_gone())
    return;
  plan.served->breaker.note_broken(net::Clock::now());
  plan.note_failure(plan.served->config.provider, "its reply broke off");
}

void record_route(ExchangeState& x) {
  RoutePlan& plan = *x.plan;
  model::LlmCall& call = x.call();
  if (plan.hit) {
    call.cached = true;
    call.upstream = plan.hit->upstream;
    call.input_tokens = call.output_tokens = 0;  // none were used
  }
  if (plan.route == nullptr) return;
  call.route_name = plan.route->config.name;
  if (plan.arm != nullptr) call.arm = plan.arm->config.arm;
  call.failed_attempts = std::move(plan.failures);
  call.fallback = plan.is_fallback;
  if (plan.served == nullptr) return;
  // A policy's refusal is not the candidate's failure, nor that its client went away.
  const bool is_denied = x.decision && x.decision->outcome == model::Outcome::kDeny;
  const bool has_failed = !is_denied && !x.client_gone &&
                          (x.status == 0 || x.status >= 400 || (call.partial && !x.broken));
  add_call(plan.served->figures, call,
           {.has_failed = has_failed, .is_flagged = x.reply_flagged, .is_denied = is_denied});
}

}  // namespace aispm::gateway
