// SPDX-License-Identifier: Apache-2.0
// Answers that are given again: what makes two requests the same, and what may be kept.
#include "gateway/proxy/traffic/route_plan.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/common/hmac.hpp"

namespace aispm::gateway {
namespace {

// Is this value a zero, however it is written ("0", "0.0", "0e0")?
bool is_zero(const codec::JsonTree& tree, std::size_t value) {
  if (value == codec::JsonTree::kNone || tree[value].kind != codec::JsonKind::kNumber) return false;
  const std::string_view digits = tree[value].text.substr(0, tree[value].text.find_first_of("eE"));
  return digits.find_first_not_of("-0.") == std::string_view::npos;
}

// The model is asked for what is most likely, so it would say the same again.
bool is_deterministic(const codec::LlmRequest& request, std::string_view body) {
  if (!is_written(request.api)) return true;
  codec::JsonTree& tree = codec::thread_tree();
  if (!tree.read(body, codec::kMaxJsonDepth)) return false;
  if (is_zero(tree, tree.find(0, "temperature"))) return true;
  for (const char* const options : {"options", "generationConfig", "generation_config"}) {
    const std::size_t inside = tree.find(0, options);
    if (inside != codec::JsonTree::kNone && is_zero(tree, tree.find(inside, "temperature")))
      return true;
  }
  return false;
}

// Each part with its length, so that no two lists of parts are one text.
void add(std::string& text, std::string_view part) {
  text.append(std::to_string(part.size())).append(":").append(part);
}

// A key that makes two requests one would be a key of one of them only.
void add_headers(std::string& text, std::string_view lines) {
  constexpr std::string_view kOfOne = "idempotency-key:";
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find("\r\n"), lines.size() - 2) + 2;
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end);
    const bool is_of_one = line.size() > kOfOne.size() &&
                           codec::http1::equal_name(line.substr(0, kOfOne.size()), kOfOne);
    if (!is_of_one) text.append(line);
  }
}

// Whoever asks, what is asked of whom, and by which rules it is judged. Without the host's key
// nobody can make a key for an answer.
std::string key_of(const ExchangeState& x, bool whole_tenant) {
  std::string text = "answer\n";
  add(text, x.caller.tenant);
  add(text, whole_tenant ? std::string_view{} : std::string_view(x.caller.agent_id));
  add(text, codec::name_of(x.api));
  add(text, x.route.path);
  add(text, x.route.query);
  add(text, x.provider->config().name);
  add(text, x.model_sent());  // which no body says where it stands in the path
  add_headers(text, x.forwarded_headers);
  const RuleBook& book = *x.context.book;
  add(text, std::to_string(book.generation));
  add(text, book.policy->version());
  add(text, book.engine->version());
  add(text, book.additions);
  const PolicySet& policies = x.context.policies;
  if (policies.enforced) {
    add(text, policies.enforced->id);
    add(text, policies.enforced->version());
    const auto& bundle = policies.enforced->bundle;
    add(text, bundle && bundle->registry() ? bundle->registry()->digest() : "");
  }
  for (const auto& view : policies.monitored) {
    add(text, view->id);
    add(text, view->version());
  }
  add(text, x.outgoing_body());
  return hmac_sha256_hex(x.services.hash_key, text);
}

}  // namespace

bool take_kept_answer(ExchangeState& x) {
  RoutePlan& plan = *x.plan;
  const CacheConfig& config = plan.traffic.config().cache;
  // What was cut out may come back in the answer of one session, and of no other.
  if (x.request.stream || x.redacted || !x.request.history.empty() ||
      !plan.traffic.keeps_answers_of(x.request.model))
    return false;
  if (!config.all && !is_deterministic(x.request, x.body)) return false;
  plan.cache_key = key_of(x, config.whole_tenant);
  plan.hit = plan.traffic.cache().find(plan.cache_key, net::Clock::now());
  if (!plan.hit) return false;
  x.counters.cache_hits.add();
  x.status = 200;
  x.first_byte = net::Clock::now();
  x.reply_headers = "content-type: application/json\r\nx-aispm-cache: hit\r\n";
  return true;
}

void keep_answer(ExchangeState& x, std::string_view body) {
  RoutePlan& plan = *x.plan;
  if (plan.hit || plan.cache_key.empty() || plan.is_fallback) return;
  // Only what went to the client as its provider said it, and nobody had anything against.
  if (x.status != 200 || x.redacted || x.decision || !x.reply_patched.empty() ||
      x.verdict.applied != model::Outcome::kAllow ||
      body.size() > plan.traffic.config().cache.entry_bytes)
    return;
  CachedAnswer answer{.body = std::string(body), .upstream = x.provider->config().name};
  if (plan.traffic.cache().keep(plan.cache_key, std::move(answer), net::Clock::now()))
    x.counters.cache_stored.add();
}

}  // namespace aispm::gateway
