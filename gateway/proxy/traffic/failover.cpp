// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/failover.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "gateway/proxy/decide/action_record.hpp"
#include "gateway/proxy/exchange_modules.hpp"
#include "gateway/proxy/traffic/arm_record.hpp"
#include "gateway/proxy/traffic/route_plan.hpp"

namespace aispm::gateway {

using model::Outcome;
using net::asio::awaitable;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kMaxBackoff{5000};
// How soon a pause between attempts notices that nobody waits any more.
constexpr milliseconds kPauseSlice{100};

// An answer that says nothing of the request, only that its provider is in trouble.
bool is_trouble(int status) { return status == 429 || status >= 500; }

// Where an attempt fails so, nothing of a reply had come.
bool is_before_reply(Errc code) {
  return code == Errc::kUnavailable || code == Errc::kDeadlineExceeded || code == Errc::kDenied;
}

// Judges the request for another provider or model than it was judged for: what policy says of them
// may differ. A refusal when it may not go there.
class Rejudging {
 public:
  // `gate_passes`: what the exchange's gate said of whom it was made for; kept up to date.
  Rejudging(ExchangeState& x, bool& gate_passes)
      : x_(x), gate_passes_(gate_passes), before_(x.verdict) {}

  awaitable<Step> run() {
    x_.context.caller.provider = x_.provider->config().name;
    x_.context.caller.model = x_.model_sent();
    Step step = x_.watch_freezes();
    if (!step && x_.services.use.models) step = co_await x_.check_model();
    if (!step) step = scan_anew();
    if (!step) step = co_await judge_prompt();
    if (!step) step = x_.reserve_anew();
    if (step && !x_.frozen) {  // the next candidate may be another matter
      x_.verdict = before_;
      x_.decision.reset();
    }
    co_return step;
  }

 private:
  Step scan_anew() {
    const policy::Policy& policy = *x_.context.book->policy;
    const policy::Verdict access = policy.authorise(x_.context.caller);
    if (access.applied == Outcome::kDeny) return x_.deny(policy.to_decision(access));
    // Rules look at nobody in particular, and no module does.
    if (x_.context.book->for_all && !asks_pii(x_)) return {};
    x_.context.tables = x_.worker.desk().tables(*x_.context.book, x_.context.caller);
    take_pii_of_request(x_, x_.context);
    auto scanned = scan_request(x_.context, x_.request);
    if (!scanned) return x_.unscannable("the request", scanned.error().message);
    Step late = x_.check_time("the request", scanned->findings);
    strengthen(x_.verdict, scanned->findings.verdict);
    x_.redacted = x_.redacted || scanned->findings.redactions > 0;
    x_.plan->patches = std::move(scanned->patches);
    if (!late && x_.verdict.applied == Outcome::kDeny)
      return x_.deny(policy.to_decision(x_.verdict));
    return late;
  }

  awaitable<Step> judge_prompt() {
    if (!x_.gate && gate_passes_) co_return Step{};  // there are no bundles
    if (gate_passes_ && is_judged_alike()) {
      x_.gate->enter("prompt");
      Step step = judge_provider(x_);
      x_.gate->enter("reply");
      co_return step;
    }
    if (x_.gate) record_rest(x_.worker, x_.asked_by(), *x_.gate);
    x_.gate.reset();
    Step step = x_.judge_prompt();
    if (!step && x_.gate) step = co_await x_.settle_actions();
    gate_passes_ = !step;
    co_return step;
  }

  // For a provider of this kind and this model: what differs is the host.
  bool is_judged_alike() const {
    const ActionGate::Caller& judged = x_.gate->caller();
    return judged.provider == x_.provider->event_name() && judged.model == x_.model_sent();
  }

  ExchangeState& x_;
  bool& gate_passes_;
  const policy::Verdict before_;
};

class Forwarding {
 public:
  explicit Forwarding(ExchangeState& x)
      : x_(x),
        plan_(*x.plan),
        config_(x.plan->route->config),
        until_(net::Clock::now() + config_.deadline),
        place_(x.plan->begin),
        judged_for_(x.provider->config().name),
        judged_model_(x.model_sent()),
        last_provider_(x.provider) {}

  awaitable<Step> run(UpstreamReply& reply) {
    plan_.patches = std::move(x_.patches);
    while (co_await choose()) {
      if (plan_.attempts == 0) {
        if (place_ == plan_.begin && take_kept_answer(x_)) co_return Step{};
        start_shadow(x_);
      }
      bool has_ended = false;
      Step step = co_await attempt(reply, has_ended);
      if (has_ended) co_return step;
    }
    co_return give_up();
  }

 private:
  Traffic::Arm& arm_at(std::size_t place) const {
    return *plan_.route->arms[plan_.order[place % plan_.order.size()]];
  }
  Traffic::Arm& current() const { return arm_at(place_); }
  milliseconds left() const {
    return std::chrono::duration_cast<milliseconds>(until_ - net::Clock::now());
  }
  bool nobody_waits() { return x_.is_stopped || x_.client.stream().peer_is_gone(); }
  // Who only closed its own side after the request gets one attempt, as without routes.
  bool may_go_on() {
    if (plan_.attempts == 0) return !x_.is_stopped;
    return plan_.attempts < config_.attempts && left() > milliseconds(0) && !nobody_waits();
  }

  // Is there anybody to ask after this candidate, as far as can be told now?
  bool has_more() {
    if (plan_.attempts >= config_.attempts || left() <= milliseconds(0)) return false;
    const auto now = net::Clock::now();
    for (std::size_t i = 1; i <= plan_.order.size(); ++i) {
      const Traffic::Arm& next = arm_at(place_ + i);
      const Provider* const provider = find_provider(*x_.providers, next.config.provider);
      if (provider != nullptr && provider->config().missing_key.empty() &&
          !next.breaker.refuses(now))
        return true;
    }
    return false;
  }

  // Finds the next candidate that may be asked, takes its permit and prepares the request for it.
  // False: there is none.
  awaitable<bool> choose() {
    const std::size_t count = plan_.order.size();
    for (std::size_t looked = 0; looked < count; ++looked) {
      if (has_chosen_) ++place_;
      has_chosen_ = true;
      if (plan_.attempts > 0 && ++since_pause_ >= count) co_await pause();
      if (!may_go_on()) co_return false;
      if (co_await take(arm_at(place_))) co_return true;
    }
    co_return false;
  }

  // Its permit is taken last: policy may have to ask a person first.
  awaitable<bool> take(const Traffic::Arm& arm) {
    Provider* const provider = find_provider(*x_.providers, arm.config.provider);
    if (provider == nullptr || !provider->config().missing_key.empty())
      co_return skip(arm, provider ? provider->config().missing_key : "is not configured any more");
    if (arm.breaker.refuses(net::Clock::now())) co_return skip_open(arm);
    x_.provider = provider;
    x_.sent_model = arm.config.model;
    plan_.arm = &arm;
    const Step denied = co_await judge();
    if (denied) co_return skip(arm, denied->message);
    if (auto prepared = prepare_request(x_, arm.config); !prepared)
      co_return skip(arm, prepared.error().message);
    auto permit = arm.breaker.admit(net::Clock::now());
    if (!permit) co_return skip_open(arm);
    permit_.emplace(std::move(*permit));
    co_return true;
  }

  // Nothing: the request may go to the candidate that was put in place.
  awaitable<Step> judge() {
    if (judged_for_ == x_.provider->config().name && judged_model_ == x_.model_sent())
      co_return Step{};
    judged_for_ = x_.provider->config().name;
    judged_model_ = x_.model_sent();
    Rejudging again(x_, gate_passes_);
    Step denied = co_await again.run();
    if (denied) judged_for_.clear();  // another candidate may have the same name and model
    co_return denied;
  }

  bool skip(const Traffic::Arm& arm, const std::string& why) {
    const bool is_first_round = place_ < plan_.begin + plan_.order.size();
    if (is_first_round) plan_.note_failure(arm.config.provider, why);
    return false;
  }

  bool skip_open(const Traffic::Arm& arm) {
    const milliseconds rest = arm.breaker.reopens_in(net::Clock::now());
    reopens_in_ = refused_by_circuit_++ == 0 ? rest : std::min(reopens_in_, rest);
    return skip(arm, "its circuit is open");
  }

  awaitable<Step> attempt(UpstreamReply& reply, bool& has_ended) {
    ++plan_.attempts;
    x_.given_up.has_latest = false;
    const Limits& limits = x_.services.config.limits;
    const UpstreamRequest request{.head = x_.request_head,
                                  .body = x_.outgoing_body(),
                                  .method = "POST",
                                  .is_over = &x_.is_stopped,
                                  .was_sent = &was_sent_};
    const milliseconds rest = std::max(left(), milliseconds(1));
    const UpstreamLimits waits{.connect = std::min(limits.upstream_connect, rest),
                               .silence = std::min(config_.first_byte, rest)};
    was_sent_ = false;
    x_.asked_at = net::Clock::now();  // of several, the one that answers
    x_.work.pause();
    auto answered =
        co_await ask_upstream(x_.worker.context(), x_.worker.watchdog(), *x_.provider,
                              x_.worker.pool(*x_.provider), request, waits, &x_.in_flight);
    x_.work.go_on();
    if (!answered) {
      Step step = take_failure(answered.error(), has_ended);
      co_return step;
    }
    const int status = answered->head.status;
    const auto now = net::Clock::now();
    if (is_trouble(status))
      permit_->failed(now);
    else
      permit_->succeeded(now);
    permit_.reset();
    const bool is_retryable = std::find(config_.retry_on.begin(), config_.retry_on.end(), status) !=
                              config_.retry_on.end();
    if (is_retryable && has_more() && !nobody_waits()) {
      note_failed("answered " + std::to_string(status));
      put_back(std::move(*answered));
      co_return Step{};
    }
    has_ended = true;
    reply = std::move(*answered);
    co_return accept(reply);
  }

  Step take_failure(const Error& error, bool& has_ended) {
    has_ended = true;
    // Cut by us or by the client's end: it says nothing about the provider.
    if (x_.opinions_deny() || nobody_waits()) {
      permit_.reset();
      return x_.opinions_deny() ? Step{} : Step(x_.upstream_refusal(error));
    }
    permit_->failed(net::Clock::now());
    permit_.reset();
    note_failed(error.message);
    last_ = error;
    // It may work on it without us.
    if (error.code == Errc::kDeadlineExceeded && was_sent_) x_.note_given_up();
    if (!is_before_reply(error.code)) return x_.upstream_refusal(error);
    has_ended = false;
    return {};
  }

  void note_failed(const std::string& why) {
    add_failed_attempt(current().figures);
    x_.counters.attempts_failed.add();
    x_.provider->note_failure(why);
    plan_.note_failure(x_.provider->config().name, why);
    last_ = fail(Errc::kUnavailable, why).value();
    last_provider_ = x_.provider;
  }

  // A short answer that came with its head leaves the connection fit for another request.
  void put_back(UpstreamReply reply) {
    const codec::http1::Head& head = reply.head;
    if (head.body != codec::http1::BodyKind::kLength || !head.keep_alive) return;
    const std::size_t size = head.size_bytes + head.content_length;
    if (reply.upstream->input.size() < size) return;
    reply.upstream->input.consume(size);
    x_.worker.pool(*x_.provider).put(std::move(reply.upstream));
  }

  Step accept(UpstreamReply& reply) {
    plan_.served = &current();
    plan_.is_fallback = place_ % plan_.order.size() != 0;
    if (plan_.is_fallback) x_.counters.fallbacks.add();
    return x_.begin_reply(reply.head);
  }

  Step give_up() {
    x_.provider = last_provider_;
    if (Step cut = x_.frozen_refusal(); cut) return cut;
    if (x_.opinions_deny()) return {};
    if (plan_.attempts > 0) return x_.upstream_refusal(last_);
    // Nobody who could have been asked: the client's own words are the matter.
    if (plan_.cannot_say && refused_by_circuit_ == 0) return std::move(plan_.cannot_say);
    if (refused_by_circuit_ == 0) {
      std::string why = "nobody of route " + config_.name + " can be asked";
      for (const std::string& one : plan_.failures) why += "; " + one;
      return x_.upstream_refusal(fail(Errc::kUnavailable, why).value());
    }
    x_.counters.circuit_refusals.add();
    Refusal refusal =
        make_refusal(RefusalKind::kCircuitOpen,
                     "nobody of route " + config_.name +
                         " can be asked: who could failed lately and is left alone for a while");
    const auto rest = std::chrono::ceil<std::chrono::seconds>(reopens_in_).count();
    refusal.retry_after_seconds = static_cast<std::uint32_t>(std::clamp<long>(rest, 1, 3600));
    return refusal;
  }

  // Everybody was asked: a while before they are asked once more, not for all clients at once.
  awaitable<void> pause() {
    since_pause_ = 0;
    milliseconds wait = std::min(config_.backoff * (1 << std::min(rounds_++, 10U)), kMaxBackoff);
    const std::size_t seed = std::hash<std::string>{}(x_.event_id) + rounds_;
    wait = wait / 2 + milliseconds(seed % (static_cast<std::size_t>(wait.count()) / 2 + 1));
    const auto until = std::min(until_, net::Clock::now() + wait);
    net::asio::steady_timer timer(x_.worker.context());
    while (net::Clock::now() < until && !nobody_waits()) {
      timer.expires_at(std::min(until, net::Clock::now() + kPauseSlice));
      (void)co_await timer.async_wait(net::kNoThrow);
    }
  }

  ExchangeState& x_;
  RoutePlan& plan_;
  const RouteConfig& config_;
  const net::Clock::time_point until_;
  std::size_t place_;  // in the order, counted on over its end
  bool has_chosen_ = false;
  std::size_t since_pause_ = 0;
  unsigned rounds_ = 0;
  std::string judged_for_;
  std::string judged_model_;
  bool gate_passes_ = true;  // who was refused does not come here
  Provider* last_provider_;  // that was asked; its failure is `last_`
  std::optional<Breaker::Permit> permit_;
  bool was_sent_ = false;  // the latest attempt reached somebody
  std::size_t refused_by_circuit_ = 0;
  milliseconds reopens_in_{0};
  Error last_{.code = Errc::kUnavailable, .message = "was not asked"};
};

}  // namespace

awaitable<Step> forward_along(ExchangeState& x, UpstreamReply& reply) {
  Forwarding way(x);
  co_return co_await way.run(reply);
}

}  // namespace aispm::gateway
