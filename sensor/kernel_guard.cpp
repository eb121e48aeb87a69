// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel_guard.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/model/freeze_orders.hpp"
#include "sensor/decide/address.hpp"
#include "sensor/enforce/host.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxEffects = 65536;  // that nobody took

// The addresses of "host:port".
std::set<ProtectedEndpoint> resolve(const std::string& address) {
  if (const auto literal = parse_endpoint(address); literal && literal->port != 0)
    return {*literal};
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return {};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  if (::getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints,
                    &raw) != 0)
    return {};
  const std::unique_ptr<addrinfo, CFree<::freeaddrinfo>> found(raw);
  std::set<ProtectedEndpoint> endpoints;
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0)
      continue;
    const std::string text = one->ai_family == AF_INET6 ? "[" + std::string(host) + "]" : host;
    if (const auto endpoint = parse_endpoint(text + ":" + port)) endpoints.insert(*endpoint);
  }
  return endpoints;
}

// Our own programs, wherever they were installed.
void add_siblings(Protected& protects) {
  std::string self(4096, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  if (size <= 0) return;
  self.resize(static_cast<std::size_t>(size));
  const std::string folder = self.substr(0, self.rfind('/'));
  for (const char* name : {"/aispm-sensord", "/aispm-collector", "/aispm-gateway"})
    protects.executables.push_back(folder + name);
}

const char* action_of(const EnforcedAct& act, const model::Order& order) {
  if (act.was_killed) return "kill_in_kernel";
  switch (act.act) {
    case AISPM_ACT_CONNECT:
      return "refuse_connect";
    case AISPM_ACT_HELLO:
      return "drop_hello";
    case AISPM_ACT_EXEC:
      return order.kills ? "kill_in_kernel" : "deny_exec";
    case AISPM_ACT_SOCKET:
      return "deny_socket";
    case AISPM_ACT_CUT:
      return "cut_connection";
    default:
      return "deny_file";
  }
}

// Family and type of a socket that was asked for.
const char* describe_socket(std::uint32_t detail) {
  if ((detail >> 16) == AF_PACKET) return "packet socket";
  return (detail & 0xffff) == SOCK_RAW ? "raw socket" : "ping socket";
}

std::string target_of(const EnforcedAct& act) {
  if (act.act == AISPM_ACT_SOCKET) return describe_socket(act.detail);
  if (!act.name.empty()) return act.name;
  if (!act.destination) return "";
  const std::string host = act.destination->host_text();
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return shown + ":" + std::to_string(act.destination->port);
}

}  // namespace

std::uint64_t KernelGuard::microseconds_since(BootTime start) {
  const BootTime now = boot_now();
  return now.nanoseconds > start.nanoseconds ? (now.nanoseconds - start.nanoseconds) / 1000 : 0;
}

Result<std::unique_ptr<KernelGuard>> KernelGuard::open(Parts parts) {
  EnforcerOptions options;
  options.pins = parts.config.pins;
  options.uses_lsm = parts.config.uses_lsm;
  const auto self = parts.look_up(static_cast<std::uint32_t>(::getpid()));
  if (self) options.self = self->actor.id;
  AISPM_TRY(auto enforcer, Enforcer::open(options));
  Protected protects = parts.config.protects;
  add_siblings(protects);
  protects.endpoints.merge(resolve(parts.collector));
  std::unique_ptr<KernelGuard> guard(
      new KernelGuard(std::move(parts), std::move(enforcer), std::move(protects)));
  if (guard->parts_.awaits_orders)
    if (const auto done = guard->enforcer_->prepare(); !done) guard->report_problem(done.error());
  return guard;
}

KernelGuard::KernelGuard(Parts parts, std::unique_ptr<Enforcer> enforcer, Protected protects)
    : parts_(std::move(parts)),
      enforcer_(std::move(enforcer)),
      decider_(parts_.lookups, std::move(protects), enforcer_->slots()) {}

void KernelGuard::offer_orders(std::vector<model::Order> orders, std::uint64_t version) {
  const std::lock_guard lock(mutex_);
  offered_ = std::move(orders);
  offered_version_ = version;
}

bool KernelGuard::has_offer() {
  const std::lock_guard lock(mutex_);
  return offered_.has_value();
}

bool KernelGuard::take_offer(WallTime now) {
  std::optional<std::vector<model::Order>> offer;
  {
    const std::lock_guard lock(mutex_);
    offer = std::exchange(offered_, std::nullopt);
    if (offer) applied_version_ = offered_version_;
  }
  if (offer) collector_orders_ = std::move(*offer);
  if (offer) parts_.awaits_orders = false;
  if (parts_.awaits_orders && enforcer_->found_links() > 0) return false;
  const bool is_due = offer || !was_set_ || decider_.has_expired(now);
  if (is_due) set_orders(now);
  return offer.has_value();
}

void KernelGuard::set_orders(WallTime now) {
  was_set_ = true;
  std::vector<model::Order> orders = parts_.config.rules;
  orders.insert(orders.end(), collector_orders_.begin(), collector_orders_.end());
  for (model::Order& order : orders) order.enforces = order.enforces && parts_.config.may_enforce;
  problems_ = decider_.set_orders(std::move(orders), now);
  ended_.clear();
  for (const auto& [id, problem] : problems_)
    log::warn("order.not_in_force", {{"order", id}, {"why", problem}});
  open_engine();
}

void KernelGuard::open_engine() {
  engine_problem_.clear();
  if (!decider_.wants_detections() || engine_) return;
  const auto fails = [&](const Error& error) {
    engine_problem_ = "no prompt is looked into: " + error.message;
    report_problem(error);
  };
  auto engine = parts_.make_engine();
  if (!engine) return fails(engine.error());
  auto scratch = (*engine)->make_scratch();
  if (!scratch) return fails(scratch.error());
  engine_ = std::move(*engine);
  scratch_.emplace(std::move(*scratch));
}

void KernelGuard::report_problem(const Error& error) {
  ++failures_;
  last_error_ = error.message;
  log::error("enforce.failed", error);
}

model::Process KernelGuard::describe_process(const model::ProcessId& id) const {
  model::Process process;
  process.id = id;
  if (const auto found = parts_.look_up(id.pid)) {
    process.exe = found->exe;
    process.argv = found->argv;
    process.comm = found->actor.comm;
    process.uid = found->actor.uid;
    process.user = parts_.user_name(found->actor.uid);
  }
  return process;
}

void KernelGuard::end_processes() {
  const EnforceTables& tables = decider_.tables();
  const auto end = [&](const model::ProcessId& id, const char* action, auto&& deed) {
    if (!ended_.insert(id).second) return;
    const Subject* subject = decider_.subject_of(id);
    const model::Order* order = subject ? decider_.order_of(subject->rules.raw) : nullptr;
    const BootTime start = boot_now();
    const model::Process process = describe_process(id);
    if (order == nullptr || !deed(*subject)) return;
    Effect effect = make_effect(*order, process, action, process.exe);
    effect.body.latency_us = microseconds_since(start);
    effects_.push_back(std::move(effect));
  };
  for (const model::ProcessId& id : tables.to_kill)
    end(id, "kill", [&](const Subject&) { return enforcer_->kill(id); });
  for (const model::ProcessId& id : tables.to_cut)
    end(id, "cut_connection", [&](const Subject& subject) {
      const auto cut = enforcer_->cut_all(id, subject.rules.raw, tables);
      if (!cut) report_problem(cut.error());
      return cut && *cut > 0;
    });
}

void KernelGuard::stop() {
  if (parts_.config.keeps_on_stop || !enforcer_->is_loaded()) return;
  if (const auto done = enforcer_->remove(); !done) report_problem(done.error());
}

void KernelGuard::on_name(const SeenName& name) {
  using Word = Decider::NameWord;
  // The other end of a question is a resolver: nothing that the name leads to.
  if (name.source == NameSource::kDns)
    return decider_.on_name(name.name, name.addresses, name.time,
                            resolvers_.gave(name) ? Word::kHosts : Word::kAnybodys);
  if (name.socket)
    decider_.on_name(name.name, {name.socket->destination}, name.time, Word::kAnybodys);
}

std::vector<model::Detection> KernelGuard::scan(const model::LlmCall& call) {
  std::vector<model::Detection> detections;
  if (!engine_ || call.prompt_text.empty()) return detections;
  ++scans_;
  std::vector<detect::Match> matches;
  if (const auto done =
          engine_->scan(call.prompt_text, detect::Surface::kPrompt, *scratch_, matches);
      !done) {
    report_problem(done.error());
    return detections;
  }
  for (const detect::Match& match : matches)
    detections.push_back(detect::describe(engine_->rules()[match.rule], match, call.prompt_text,
                                          detect::Surface::kPrompt));
  return detections;
}

void KernelGuard::on_prompt(const model::Process& process, std::string_view agent,
                            std::uint64_t cookie, const model::LlmCall& call, BootTime written) {
  if (!decider_.wants_content()) return;
  on_process(process, agent);
  std::vector<model::Detection> detections;
  if (decider_.wants_detections()) detections = scan(call);
  const auto verdict = decider_.judge_call(process.id, call, detections);
  if (!verdict) return;
  const model::Order& order = *verdict->order;
  Effect effect = make_effect(order, process, "cut_connection", call.host);
  if (cookie != 0) {
    RuleMask rules = decider_.rule_of(order.id);
    if (const auto done = enforcer_->cut(cookie, rules.raw, order.enforces); !done)
      report_problem(done.error());
  } else {
    effect.decision.mode = "monitor";
    effect.decision.reason += " (its socket is not known: nothing was cut)";
  }
  effect.body.mode = effect.decision.mode;
  effect.body.latency_us = microseconds_since(written);
  effect.detections = std::move(detections);
  effects_.push_back(std::move(effect));
  if (!verdict->kills || !order.enforces || !enforcer_->kill(process.id)) return;
  Effect killed = make_effect(order, process, "kill", process.exe);
  killed.body.latency_us = microseconds_since(written);
  effects_.push_back(std::move(killed));
}

Effect KernelGuard::make_effect(const model::Order& order, const model::Process& process,
                                std::string action, std::string target) const {
  Effect effect;
  effect.time = boot_now();
  effect.process = process;
  effect.body.order_id = model::rule_of_order(order.id);
  effect.body.action = std::move(action);
  effect.body.target = std::move(target);
  effect.body.mode = order.enforces ? "enforce" : "monitor";
  effect.decision.outcome = model::Outcome::kDeny;
  effect.decision.mode = effect.body.mode;
  effect.decision.rule_id = order.id;
  effect.decision.reason = order.reason.empty()
                               ? std::string(name_of(order.action)) + " by " + order.created_by
                               : order.reason;
  return effect;
}

std::optional<Effect> KernelGuard::describe(const EnforcedAct& act, const model::Process& process) {
  const model::Order* order = decider_.order_of(act.rules.raw);
  if (order == nullptr) return std::nullopt;
  Effect effect = make_effect(*order, process, action_of(act, *order), target_of(act));
  effect.time = act.time;
  effect.body.count = act.count;
  if (!act.was_denied) effect.body.mode = effect.decision.mode = "monitor";
  return effect;
}

std::vector<Effect> KernelGuard::take_effects() {
  if (effects_.size() > kMaxEffects) effects_.resize(kMaxEffects);
  return std::exchange(effects_, {});
}

}  // namespace aispm::sensor
