// SPDX-License-Identifier: Apache-2.0
// What of an exchange goes to its route's shadow, and whether any of it may.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "gateway/proxy/exchange_modules.hpp"
#include "gateway/proxy/traffic/route_plan.hpp"
#include "gateway/proxy/traffic/shadow.hpp"
#include "gateway/proxy/translate/translation.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::gateway {
namespace {

// Ids of events are random, so a share of them is a share of the requests.
bool is_drawn(const std::string& event_id, unsigned percent) {
  return percent >= 100 || sha256("shadow" + event_id)[0] * 100U < percent * 256U;
}

// Puts the exchange's own request aside while another is prepared in its place.
class BorrowedExchange {
 public:
  explicit BorrowedExchange(ExchangeState& x)
      : x_(x),
        provider_(x.provider),
        service_call_(std::move(x.service_call)),
        sent_model_(std::move(x.sent_model)),
        patches_(std::move(x.patches)),
        patched_body_(std::move(x.patched_body)),
        request_head_(std::move(x.request_head)),
        translation_(std::move(x.translation)),
        translated_request_(std::move(x.translated_request)),
        forwarded_headers_(x.forwarded_headers),
        caller_(x.context.caller) {}
  BorrowedExchange(const BorrowedExchange&) = delete;
  BorrowedExchange& operator=(const BorrowedExchange&) = delete;
  ~BorrowedExchange() {
    x_.provider = provider_;
    x_.service_call = std::move(service_call_);
    x_.sent_model = std::move(sent_model_);
    x_.patches = std::move(patches_);
    x_.patched_body = std::move(patched_body_);
    x_.request_head = std::move(request_head_);
    x_.translation = std::move(translation_);
    x_.translated_request = std::move(translated_request_);
    x_.forwarded_headers = std::move(forwarded_headers_);
    x_.context.caller = caller_;
    x_.context.caller.model = x_.model_sent();
  }

 private:
  ExchangeState& x_;
  Provider* const provider_;
  std::unique_ptr<ServiceCall> service_call_;
  std::string sent_model_;
  std::vector<codec::JsonPatch> patches_;
  std::string patched_body_;
  std::string request_head_;
  std::unique_ptr<translate::Translation> translation_;
  std::string translated_request_;
  std::string forwarded_headers_;
  const policy::Context caller_;
};

bool is_among(const codec::JsonPatch& patch, const std::vector<codec::JsonPatch>& patches) {
  for (const codec::JsonPatch& other : patches)
    if (other.span == patch.span && other.json == patch.json) return true;
  return false;
}

// Rules that look at the provider or model may keep from it what the exchange's own gets.
bool rules_allow(const ExchangeState& x) {
  const policy::Policy& policy = *x.context.book->policy;
  if (policy.authorise(x.context.caller).applied == model::Outcome::kDeny) return false;
  if (x.context.book->for_all && !asks_pii(x)) return true;
  ScanContext context = x.context;
  context.tables = x.worker.desk().tables(*context.book, context.caller);
  take_pii_of_request(x, context);
  const auto scanned = scan_request(context, x.request);
  if (!scanned || scanned->findings.denied() || scanned->findings.cut > 0) return false;
  for (const codec::JsonPatch& patch : scanned->patches)
    if (!is_among(patch, x.plan->patches)) return false;
  return true;
}

// Bundles likewise. Nobody is asked and nothing is counted for a shadow: what a person let pass was
// let pass once.
bool bundles_allow(const ExchangeState& x) {
  if (!x.gate) return true;
  ActionGate::Caller who = x.gate->caller();
  who.surface = "prompt";
  who.provider = x.provider->event_name();
  who.model = std::string(x.model_sent());
  ActionGate gate(x.context, x.gate->policies(), std::move(who), x.gate->risk());
  if (gate.wants_prompt(wall_now()) &&
      gate.judge_prompt(codec::prompt_text(x.request), {}) != nullptr)
    return false;
  return modules_allow(x, gate);
}

// By the list; a registry that is asked over the network is asked when the shadow goes.
bool is_listed(ExchangeState& x) { return !x.services.use.models || x.check_model_list(); }

bool is_frozen(const ExchangeState& x) {
  const auto book = x.services.freezes.load();
  const FreezeKey key = x.caller.freeze_key(std::string(x.model_sent()));
  return key.find(*book, wall_now()) != nullptr;
}

std::shared_ptr<ShadowCall> make_call(ExchangeState& x, Traffic::Arm& arm) {
  auto call = std::make_shared<ShadowCall>(x.worker, arm);
  for (const auto& one : x.providers->all())
    if (one.get() == x.provider) call->provider = one;
  call->head = std::move(x.request_head);
  call->body = std::string(x.outgoing_body());
  call->api = x.api;
  call->streams = x.request.stream;
  call->caller = x.caller;
  call->model = std::string(x.model_sent());
  call->trace_id = x.trace_id;
  call->parent_span_id = x.parent_span_id;
  model::LlmCall& said = call->call;
  said.provider = x.provider->event_name();
  said.api = std::string(codec::name_of(x.api));
  said.host = x.provider->authority();
  said.request_model = call->model;
  said.stream = x.request.stream;
  said.tools_offered = x.request.tools_offered;
  said.request_bytes = call->body.size();
  said.prompt_sha256 = codec::prompt_sha256(x.request);
  said.upstream = x.provider->config().name;
  said.route_name = x.plan->route->config.name;
  said.arm = arm.config.arm;
  said.shadow_of = x.event_id;
  return call;
}

// Null: it may not go there, or there is no room for it.
std::shared_ptr<ShadowCall> prepare_call(ExchangeState& x, Traffic::Arm& arm) {
  Provider* const provider = find_provider(*x.providers, arm.config.provider);
  // What a cloud says in a form of its own is not read here.
  if (provider == nullptr || provider->config().dialect != x.route.dialect ||
      provider->config().service != Service::kNone || !provider->config().missing_key.empty() ||
      arm.breaker.refuses(net::Clock::now()))
    return nullptr;
  const BorrowedExchange borrowed(x);
  x.provider = provider;
  x.sent_model = arm.config.model;
  x.context.caller.provider = provider->config().name;
  x.context.caller.model = x.model_sent();
  if (is_frozen(x) || !is_listed(x) || !rules_allow(x) || !bundles_allow(x)) return nullptr;
  if (!prepare_request(x, arm.config)) return nullptr;
  const std::size_t bytes = x.request_head.size() + x.outgoing_body().size();
  if (!x.plan->traffic.enter_shadow(bytes)) return nullptr;
  auto call = make_call(x, arm);
  call->held_bytes = bytes;
  return call;
}

}  // namespace

void start_shadow(ExchangeState& x) {
  Traffic::Route& route = *x.plan->route;
  if (!route.shadow || !is_written(x.api) || !is_drawn(x.event_id, route.config.shadow->percent))
    return;
  auto call = prepare_call(x, *route.shadow);
  if (!call) return x.counters.shadows_skipped.add();
  x.counters.shadows_open.add();
  // The worker waits for its open shadows before it ends, so "detached" loses nobody.
  net::asio::co_spawn(x.worker.context(), run_shadow(std::move(call)), net::asio::detached);
}

}  // namespace aispm::gateway
