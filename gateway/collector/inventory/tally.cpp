// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/tally.hpp"

#include <algorithm>

namespace aispm::collector::inventory {
namespace {

constexpr std::int64_t kMinute = 60'000'000'000;
constexpr int kMaxNamesOfOne = 256;  // models of one agent, endpoints of one provider

int route_number(std::string_view route) {
  return route == "gateway" ? 1 : route == "local" ? 2 : route == "direct" ? 3 : 0;
}

}  // namespace

Verdict verdict_of(const aispm::v1::Event& event) {
  using aispm::v1::Decision;
  if (event.body_case() == aispm::v1::Event::kSandboxDenial) return Verdict::kSandboxDenial;
  const auto& decision = event.decision();
  if (decision.mode() == "monitor" || decision.mode() == "off") return Verdict::kPassed;
  switch (decision.outcome()) {
    case Decision::OUTCOME_UNSPECIFIED:
    case Decision::OUTCOME_ALLOW:
      return Verdict::kPassed;
    case Decision::OUTCOME_REDACT:
      return Verdict::kRedacted;
    default:
      return Verdict::kDenied;  // also what waits for a human: the caller did not get through
  }
}

bool is_risky(const aispm::v1::Event& event) {
  if (verdict_of(event) == Verdict::kDenied) return true;
  for (const auto& detection : event.detections())
    if (detection.severity() >= aispm::v1::SEVERITY_HIGH) return true;
  switch (event.body_case()) {
    case aispm::v1::Event::kLlmCall:
      return event.llm_call().route() == "direct";
    case aispm::v1::Event::kFileAccess:
      return event.file_access().file_class() == "sensitive" ||
             event.file_access().file_class() == "kernel_settings";
    case aispm::v1::Event::kTamper:
      return true;
    default:
      return false;
  }
}

bool is_reported_by_gateway(const aispm::v1::Event& event) {
  if (event.source() != aispm::v1::SOURCE_SENSOR) return false;
  // The client's side of the call, and the gateway's own connection to the provider.
  return event.llm_call().route() == "gateway" || event.process().exe().ends_with("/aispm-gateway");
}

void Tally::Use::weigh(std::int64_t time, const aispm::v1::Event& event) {
  if (is_risky(event)) risky = std::max(risky, time);
  if (event.has_decision()) judged = std::max(judged, time);
}

void Tally::Seen::at(std::int64_t time) {
  first = std::min(first, time);
  last = std::max(last, time);
}

Result<> Tally::add(const Concern& whose, const aispm::v1::Event& event) {
  Concern concern = whose;
  if (event.body_case() == aispm::v1::Event::kLlmCall && !event.llm_call().shadow_of().empty()) {
    // What a candidate said to nobody is no deed of the agent's; its provider did answer.
    concern.agent.reset();
    concern.session.reset();
  }
  ++hosts_[concern.host];
  ++minutes_[{concern.time.nanoseconds / kMinute, static_cast<int>(event.body_case())}];
  for (Use* const use : {concern.agent ? &agents_[*concern.agent] : nullptr,
                         concern.session ? &sessions_[*concern.session] : nullptr}) {
    if (use == nullptr) continue;
    use->seen.at(concern.time.nanoseconds);
    use->weigh(concern.time.nanoseconds, event);
  }
  AISPM_CHECK(add_findings(concern, event));
  if (event.body_case() == aispm::v1::Event::kLlmCall && !is_reported_by_gateway(event))
    return add_call(concern, event);
  if (event.body_case() == aispm::v1::Event::kAiUse) return add_ai_use(concern, event.ai_use());
  return {};
}

Result<> Tally::add_findings(const Concern& concern, const aispm::v1::Event& event) {
  for (const auto& detection : event.detections())
    AISPM_CHECK(
        run_sql(database_,
                "INSERT INTO detections (event, time, category, rule, severity) VALUES (?,?,?,?,?)",
                concern.event, concern.time.nanoseconds, cut_name(detection.category()),
                cut_name(detection.rule_id()), static_cast<int>(detection.severity())));
  const Verdict verdict = verdict_of(event);
  const std::uint64_t count = verdict == Verdict::kSandboxDenial
                                  ? std::max<std::uint64_t>(1, event.sandbox_denial().count())
                                  : 1;
  if (verdict != Verdict::kPassed)
    AISPM_CHECK(run_sql(database_,
                        "INSERT INTO verdicts (event, time, verdict, count) VALUES (?,?,?,?)",
                        concern.event, concern.time.nanoseconds, static_cast<int>(verdict), count));
  for (Use* const use : {concern.agent ? &agents_[*concern.agent] : nullptr,
                         concern.session ? &sessions_[*concern.session] : nullptr}) {
    if (use == nullptr) continue;
    use->detections += static_cast<std::uint64_t>(event.detections_size());
    if (verdict == Verdict::kDenied) ++use->denied;
    if (verdict == Verdict::kRedacted) ++use->redacted;
    if (verdict == Verdict::kSandboxDenial) use->sandbox_denials += count;
  }
  return {};
}

Result<> Tally::add_endpoint(std::int64_t provider, const std::string& host) {
  if (!host.empty()) endpoints_.emplace(provider, std::string(cut_name(host)));
  return {};
}

Result<> Tally::add_call(const Concern& concern, const aispm::v1::Event& event) {
  const auto& call = event.llm_call();
  const std::string& model_name =
      call.response_model().empty() ? call.request_model() : call.response_model();
  AISPM_TRY(const std::int64_t provider,
            refs_.provider(call.provider().empty() ? "unknown" : call.provider(), concern.time));
  std::optional<std::int64_t> model;
  if (!model_name.empty()) {
    AISPM_TRY(model, refs_.model(model_name, provider, concern.time));
  }
  AISPM_CHECK(run_sql(
      database_,
      "INSERT INTO calls (event, time, provider, model, input_tokens, output_tokens, verdict, "
      "agent, duration_us, failed, route, cost, estimated) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
      concern.event, concern.time.nanoseconds, provider, model, call.input_tokens(),
      call.output_tokens(), static_cast<int>(verdict_of(event)), concern.agent, call.duration_us(),
      call.status() == 0 || call.status() >= 400 ? 1 : 0,
      event.source() == aispm::v1::SOURCE_GATEWAY ? 1 : route_number(call.route()),
      call.has_cost_nano_usd() ? std::optional(call.cost_nano_usd()) : std::nullopt,
      call.tokens_estimated() ? 1 : 0));
  if (model) models_[*model].weigh(concern.time.nanoseconds, event);
  for (Use* const use : {&providers_[provider], model ? &models_[*model] : nullptr,
                         concern.agent ? &agents_[*concern.agent] : nullptr,
                         concern.session ? &sessions_[*concern.session] : nullptr}) {
    if (use == nullptr) continue;
    use->seen.at(concern.time.nanoseconds);
    ++use->calls;
    use->input += call.input_tokens();
    use->output += call.output_tokens();
  }
  if (concern.agent && !model_name.empty())
    agent_models_.emplace(*concern.agent, std::string(cut_name(model_name)));
  return add_endpoint(provider, call.host());
}

Result<> Tally::add_ai_use(const Concern& concern, const aispm::v1::AiUse& use) {
  if (use.provider().empty()) return {};
  AISPM_TRY(const std::int64_t provider, refs_.provider(use.provider(), concern.time));
  providers_[provider].seen.at(concern.time.nanoseconds);
  return add_endpoint(provider, use.host());
}

Result<> Tally::flush_names() {
  for (const auto& [agent, model] : agent_models_)
    AISPM_CHECK(run_sql(database_,
                        "INSERT OR IGNORE INTO agent_models (agent, model) SELECT ?1, ?2 "
                        "WHERE (SELECT COUNT(*) FROM agent_models WHERE agent=?1) < ?3",
                        agent, model, kMaxNamesOfOne));
  for (const auto& [provider, host] : endpoints_)
    AISPM_CHECK(run_sql(database_,
                        "INSERT OR IGNORE INTO provider_hosts (provider, host) SELECT ?1, ?2 "
                        "WHERE (SELECT COUNT(*) FROM provider_hosts WHERE provider=?1) < ?3",
                        provider, host, kMaxNamesOfOne));
  return {};
}

Result<> Tally::flush(WallTime now) {
  for (const auto& [host, events] : hosts_)
    AISPM_CHECK(run_sql(database_,
                        "UPDATE hosts SET events=events+?, last_seen=MAX(last_seen, ?) WHERE ref=?",
                        events, now.nanoseconds, host));
  for (const auto& [agent, use] : agents_)
    AISPM_CHECK(run_sql(
        database_,
        "UPDATE agents SET first_seen=MIN(first_seen, ?), last_seen=MAX(last_seen, ?), "
        "llm_calls=llm_calls+?, denied=denied+?, redacted=redacted+?, input_tokens=input_tokens+?, "
        "output_tokens=output_tokens+?, risky=MAX(risky, ?), judged=MAX(judged, ?) WHERE ref=?",
        use.seen.first, use.seen.last, use.calls, use.denied, use.redacted, use.input, use.output,
        use.risky, use.judged, agent));
  for (const auto& [session, use] : sessions_)
    AISPM_CHECK(run_sql(
        database_,
        "UPDATE sessions SET first_seen=MIN(first_seen, ?), last_seen=MAX(last_seen, ?), "
        "llm_calls=llm_calls+?, detections=detections+?, denied=denied+?, redacted=redacted+?, "
        "sandbox_denials=sandbox_denials+?, risky=MAX(risky, ?), judged=MAX(judged, ?) WHERE ref=?",
        use.seen.first, use.seen.last, use.calls, use.detections, use.denied, use.redacted,
        use.sandbox_denials, use.risky, use.judged, session));
  for (const auto& [provider, use] : providers_)
    AISPM_CHECK(run_sql(database_,
                        "UPDATE providers SET first_seen=MIN(first_seen, ?), "
                        "last_seen=MAX(last_seen, ?), calls=calls+?, "
                        "input_tokens=input_tokens+?, output_tokens=output_tokens+? WHERE ref=?",
                        use.seen.first, use.seen.last, use.calls, use.input, use.output, provider));
  for (const auto& [model, use] : models_)
    AISPM_CHECK(run_sql(database_,
                        "UPDATE models SET first_seen=MIN(first_seen, ?), last_seen=MAX(last_seen, "
                        "?), calls=calls+?, "
                        "input_tokens=input_tokens+?, output_tokens=output_tokens+?, "
                        "risky=MAX(risky, ?), judged=MAX(judged, ?) WHERE ref=?",
                        use.seen.first, use.seen.last, use.calls, use.input, use.output, use.risky,
                        use.judged, model));
  for (const auto& [minute, count] : minutes_)
    AISPM_CHECK(run_sql(database_,
                        "INSERT INTO event_counts (minute, kind, count) VALUES (?,?,?) "
                        "ON CONFLICT DO UPDATE SET count=count+excluded.count",
                        minute.first, minute.second, count));
  AISPM_CHECK(flush_names());
  forget();
  return {};
}

void Tally::forget() {
  hosts_.clear();
  agents_.clear();
  sessions_.clear();
  providers_.clear();
  models_.clear();
  minutes_.clear();
  agent_models_.clear();
  endpoints_.clear();
}

}  // namespace aispm::collector::inventory
