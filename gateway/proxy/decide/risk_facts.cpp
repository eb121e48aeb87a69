// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/risk_facts.hpp"

#include <algorithm>

#include "sdk/core/common/utf8.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::gateway {
namespace {

using policy::RiskSignal;

constexpr std::chrono::seconds kShort{120};
constexpr std::chrono::seconds kLong{3600};
constexpr std::size_t kBurst = 5;
constexpr std::size_t kSustained = 15;

struct Meaning {
  detect::Category category;
  RiskSignal signal;
};
constexpr Meaning kMeanings[] = {
    {detect::Category::kPromptInjection, RiskSignal::kPromptInjection},
    {detect::Category::kMemoryPoisoning, RiskSignal::kPromptInjection},
    {detect::Category::kJailbreak, RiskSignal::kJailbreak},
    {detect::Category::kExtraction, RiskSignal::kExfiltration},
    {detect::Category::kExfiltration, RiskSignal::kExfiltration},
    {detect::Category::kToolAbuse, RiskSignal::kToolAbuse},
    {detect::Category::kObfuscation, RiskSignal::kObfuscation},
    {detect::Category::kPrivilegeEscalation, RiskSignal::kPrivilegeEscalation},
    {detect::Category::kSocialEngineering, RiskSignal::kSocialEngineering},
};

void add_name(RiskFacts& facts, std::string_view name) {
  if (!facts.has(name)) facts.names.emplace_back(name);
}

// Text that no person wrote into this conversation, and what is kept of it for later ones.
bool is_indirect(std::string_view surface) {
  constexpr detect::SurfaceBits kIndirect =
      detect::kForeignSurfaces | detect::surface_bit(detect::Surface::kMemoryWrite);
  const auto known = detect::parse_surface(surface);
  return known && (detect::surface_bit(*known) & kIndirect) != 0;
}

// Text that was looked up or came from a tool is as little to be trusted as what was found in it is
// sure: who wrote the worst of it may have written the rest.
void take_trust(RiskFacts& facts, const model::Detection& detection) {
  constexpr detect::SurfaceBits kRetrieved =
      detect::surface_bit(detect::Surface::kToolResult) |
      detect::surface_bit(detect::Surface::kEmailOrWeb) |
      detect::surface_bit(detect::Surface::kRetrievedDocument);
  const auto surface = detect::parse_surface(detection.surface);
  if (!surface || (detect::surface_bit(*surface) & kRetrieved) == 0) return;
  const policy::RetrievedChunk chunk{.trust = 1 - std::clamp(detection.confidence, 0.0, 1.0)};
  facts.parts.retrieval_trust =
      std::min(facts.parts.retrieval_trust, policy::retrieval_trust({&chunk, 1}));
}

void add_signal(RiskFacts& facts, RiskSignal signal) {
  facts.signals.add(signal);
  add_name(facts, policy::name_of(signal));
}

void read_one(const model::Detection& detection, RiskFacts& facts) {
  if (detection.rule_id.starts_with("guard.")) {
    facts.guard_score = std::max(facts.guard_score, detection.confidence);
    const bool blocks = detection.severity >= model::Severity::kHigh;
    if (blocks) facts.guard = policy::GuardVerdict::kBlock;
    if (!blocks && facts.guard == policy::GuardVerdict::kAllow)
      facts.guard = policy::GuardVerdict::kFlag;
  }
  if (detection.category == detect::name_of(detect::Category::kRecon)) add_name(facts, "recon");
  for (const Meaning& meaning : kMeanings) {
    if (detection.category != detect::name_of(meaning.category)) continue;
    const bool injects = meaning.signal == RiskSignal::kPromptInjection;
    if (injects && is_indirect(detection.surface))
      add_signal(facts, RiskSignal::kIndirectInjection);
    if (meaning.signal == RiskSignal::kToolAbuse && detection.surface == "prompt")
      add_name(facts, "tool_injection");
    add_signal(facts, meaning.signal);
    take_trust(facts, detection);
  }
}

}  // namespace

bool RiskFacts::has(std::string_view name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

RiskFacts read_signals(const std::vector<model::Detection>& detections) {
  RiskFacts facts;
  for (const model::Detection& detection : detections)
    if (detection.severity >= model::Severity::kMedium) read_one(detection, facts);
  return facts;
}

void fuse_risk(const policy::RiskModel& model, const AgentFacts& agent, std::string_view prompt,
               std::size_t prompt_bytes, const SessionPast& past, RiskFacts& facts) {
  facts.burst = past.in_two_minutes >= kBurst;
  facts.sustained = past.in_an_hour >= kSustained;
  facts.parts.prompt = policy::prompt_risk(model, facts.signals, prompt_bytes);
  facts.parts.identity = policy::identity_risk(agent.roles, agent.scopes);
  facts.parts.guard = policy::guard_risk(facts.guard, facts.guard_score);
  facts.parts.behaviour = policy::behaviour_risk(past.in_two_minutes, past.in_an_hour);
  facts.parts.drift = policy::intent_drift(prompt, past.baseline);
  facts.risk = policy::fuse(facts.parts);
}

SessionPast SessionRisks::Session::past(Time now) const {
  const auto within = [&](std::chrono::seconds span) {
    return static_cast<std::size_t>(
        std::count_if(signals.begin(), signals.end(), [&](Time at) { return now - at <= span; }));
  };
  return {.in_two_minutes = within(kShort), .in_an_hour = within(kLong), .baseline = baseline};
}

SessionPast SessionRisks::of(const std::string& session, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto known = index_.find(session);
  return known == index_.end() ? SessionPast() : known->second->past(now);
}

SessionPast SessionRisks::note(const std::string& session, std::string_view prompt,
                               bool has_signals, Time now) {
  const std::lock_guard lock(mutex_);
  const auto known = index_.find(session);
  if (known != index_.end()) {
    sessions_.splice(sessions_.begin(), sessions_, known->second);
  } else {
    if (sessions_.size() >= kMaxSessions) {
      index_.erase(sessions_.back().key);
      sessions_.pop_back();
      ++forgotten_;
    }
    sessions_.push_front({session, {}, {}});
    index_.emplace(sessions_.front().key, sessions_.begin());
  }
  Session& one = sessions_.front();
  while (!one.signals.empty() && now - one.signals.front() > kLong) one.signals.pop_front();
  SessionPast past = one.past(now);
  if (has_signals) {
    one.signals.push_back(now);
    if (one.signals.size() > kMaxSignals) one.signals.pop_front();
  } else if (one.baseline.size() < kMaxBaseline && !prompt.empty()) {
    std::string kept(prompt.substr(0, kMaxPromptBytes));
    cut_utf8(kept, kMaxPromptBytes);
    one.baseline.push_back(std::move(kept));
  }
  return past;
}

std::size_t SessionRisks::size() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

std::uint64_t SessionRisks::forgotten() const {
  const std::lock_guard lock(mutex_);
  return forgotten_;
}

}  // namespace aispm::gateway
