// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/replay.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace aispm::policy {
namespace {

using model::Outcome;

bool was_asked(Outcome outcome) {
  return outcome == Outcome::kApproved || outcome == Outcome::kRejected ||
         outcome == Outcome::kTimeout;
}

// Equal for whoever waits: an approval that was given is one that was asked for.
bool is_same(Outcome before, Outcome after) {
  const bool asks = harshness(after) > harshness(Outcome::kRedact) && after != Outcome::kDeny;
  return before == after || (was_asked(before) && asks);
}

template <typename List>
std::vector<Fact> facts_of(const List& detections, bool of_reply) {
  std::vector<Fact> facts;
  for (const v1::Detection& detection : detections) {
    // "event": found when the event was scrubbed; the gateway decided nothing by it.
    if (detection.surface() == "event") continue;
    if ((detection.surface() == "reply" || detection.surface() == "tool_arguments") != of_reply)
      continue;
    facts.push_back({detection.rule_id(), detection.category(),
                     static_cast<model::Severity>(detection.severity()), detection.confidence(),
                     detection.surface()});
  }
  return facts;
}

void keep_strictest(const Verdict& verdict, ReplayVerdict& strictest) {
  if (harshness(verdict.applied) <= harshness(strictest.outcome)) return;
  strictest.outcome = verdict.applied;
  strictest.rule_id = verdict.rule_id;
  strictest.reason = verdict.reason;
}

bool is_later(const google::protobuf::Timestamp& left, const google::protobuf::Timestamp& right) {
  return std::pair(left.seconds(), left.nanos()) > std::pair(right.seconds(), right.nanos());
}

// Those of the gateway itself are no rules over what is found.
bool rests_on_detection(const v1::Decision& decision) {
  constexpr std::array<std::string_view, 4> kOthers = {"aispm.", "agent.", "policy.", "budget."};
  return std::none_of(kOthers.begin(), kOthers.end(), [&](std::string_view prefix) {
    return decision.rule_id().starts_with(prefix);
  });
}

}  // namespace

Replay::Replay(std::shared_ptr<const Bundle> candidate, std::shared_ptr<const Policy> texts,
               ReplayOptions options)
    : candidate_(std::move(candidate)), texts_(std::move(texts)), options_(std::move(options)) {
  if (candidate_)
    counts_.set_candidate(candidate_->version());
  else if (texts_)
    counts_.set_candidate(texts_->version());
}

void Replay::add(const v1::Event& event) {
  if (!options_.agent.matches(event.agent_id())) return;
  if (event.has_action_call() && candidate_) return add_action(event);
  if (!event.has_llm_call() || event.source() != v1::SOURCE_GATEWAY) return;
  if (texts_) return add_call(event);
  if (options_.detect) add_detections(event);
}

void Replay::note_time(const v1::Event& event) {
  counts_.set_events(counts_.events() + 1);
  if (!event.has_time()) return;
  if (!counts_.has_oldest() || is_later(counts_.oldest(), event.time()))
    *counts_.mutable_oldest() = event.time();
  if (!counts_.has_newest() || is_later(event.time(), counts_.newest()))
    *counts_.mutable_newest() = event.time();
}

bool Replay::is_known(const v1::Event& event) {
  const Outcome outcome = outcome_of(event.decision().outcome());
  const bool is_settled = was_asked(outcome);
  const bool begins = !is_settled && harshness(outcome) > harshness(Outcome::kRedact) &&
                      harshness(outcome) < harshness(Outcome::kDeny);
  if ((!is_settled && !begins) || event.trace_id().empty()) return false;
  std::string key = event.trace_id() + event.action_call().digest();
  if (waited_.size() >= kMaxWaited && !waited_.contains(key)) return false;
  Waited& waited = waited_[std::move(key)];
  const std::uint32_t before = std::max(waited.begun, waited.settled);
  ++(is_settled ? waited.settled : waited.begun);
  return std::max(waited.begun, waited.settled) == before;
}

// Who the agent is, as a gateway would have it by the candidate and the registry beside it. What
// neither grants a gateway's own file may: then what was recorded stands.
void Replay::take_facts(const AgentRegistry& agents, RecordedAction& recorded) const {
  const RegisteredAgent* const known = agents.find(recorded.action().agent);
  if (known == nullptr && !candidate_->has_agents_file()) return;
  if (known != nullptr && !known->has_rights) return;
  recorded.take_facts(known != nullptr ? known->facts : AgentFacts(), agents.scores_trust());
}

void Replay::add_action(const v1::Event& event) {
  // What a policy beside the enforced one said: the action has a record of its own.
  if (event.decision().mode() == "monitor" || is_known(event)) return;
  note_time(event);
  const Outcome before = applied_outcome(event.decision());
  if (before == Outcome::kKillSwitch) return cannot("a freeze stopped it, no policy");
  if (before == Outcome::kRateLimited) return cannot("a limit of rate stopped it, no rule");
  RecordedAction recorded(event);
  if (const AgentRegistry* const agents = candidate_->agents()) take_facts(*agents, recorded);
  const ReplayVerdict after = judge_recorded(*candidate_, recorded, options_.now);
  count(event, "action", event.action_call().tool(), after);
}

void Replay::add_call(const v1::Event& event) {
  note_time(event);
  const v1::LlmCall& call = event.llm_call();
  const Context context{event.agent_id(), call.provider(), call.request_model()};
  ReplayVerdict after{Outcome::kAllow, "", "", ""};
  keep_strictest(texts_->authorise(context), after);
  std::vector<v1::Detection> detections(event.detections().begin(), event.detections().end());
  if (options_.detect) {
    DetectSaid said = options_.detect(event);
    if (!said.unknown.empty()) return cannot("detect.yaml: " + said.unknown);
    detections = std::move(said.kept);
    detections.insert(detections.end(), said.found.begin(), said.found.end());
  }
  const auto asked = facts_of(detections, false);
  const auto answered = facts_of(detections, true);
  keep_strictest(texts_->decide(context, Direction::kRequest, asked, {}), after);
  keep_strictest(texts_->decide(context, Direction::kReply, answered, {}), after);
  // The detection that the deciding rule is about; the first of them names the group.
  const std::string about = event.detections().empty() ? "" : event.detections(0).rule_id();
  count(event, "text", about, after);
}

// Without the rules over detections: what was decided stands where as much is found as before, and
// falls where nothing is.
void Replay::add_detections(const v1::Event& event) {
  note_time(event);
  const Outcome before = applied_outcome(event.decision());
  if (before == Outcome::kKillSwitch) return cannot("a freeze stopped it, no policy");
  const DetectSaid said = options_.detect(event);
  if (!said.found.empty())
    return cannot("detect.yaml finds " + said.found.front().rule_id() +
                  "; what follows is said by the gateway's rules (--texts)");
  if (said.lost.empty() && !said.unknown.empty()) return cannot("detect.yaml: " + said.unknown);
  if (said.lost.empty() || before == Outcome::kAllow || !rests_on_detection(event.decision()))
    return count(event, "detection", "", {before, event.decision().rule_id(), "", ""});
  if (!said.kept.empty() || !said.unknown.empty())
    return cannot(
        "some of what was found would be no detection any more; what follows is said by "
        "the gateway's rules (--texts)");
  count(
      event, "detection", said.lost.front(),
      {Outcome::kAllow, "detect.yaml", "Nothing that was found would be a detection any more", ""});
}

void Replay::count(const v1::Event& event, const std::string& kind, const std::string& tool,
                   const ReplayVerdict& after) {
  if (after.outcome == Outcome::kUnspecified) return cannot(after.obstacle);
  const Outcome before = applied_outcome(event.decision());
  ++changes_[{before, after.outcome}];
  if (is_same(before, after.outcome)) return counts_.set_unchanged(counts_.unchanged() + 1);
  const int difference = harshness(after.outcome) - harshness(before);
  if (difference > 0) counts_.set_stricter(counts_.stricter() + 1);
  if (difference < 0) counts_.set_looser(counts_.looser() + 1);
  Key key{before, after.outcome, kind, after.rule_id, event.agent_id(), tool};
  auto found = flips_.find(key);
  if (found == flips_.end()) {
    if (flips_.size() >= kMaxGroups)
      return counts_.set_flips_left_out(counts_.flips_left_out() + 1);
    found = flips_.emplace(std::move(key), v1::Simulation::Flip()).first;
    v1::Simulation::Flip& flip = found->second;
    flip.set_before(outcome_of(before));
    flip.set_after(outcome_of(after.outcome));
    flip.set_kind(kind);
    flip.set_rule_id(after.rule_id);
    flip.set_reason(after.reason);
    flip.set_rule_before(event.decision().rule_id());
    flip.set_agent_id(event.agent_id());
    flip.set_tool(tool);
  }
  v1::Simulation::Flip& flip = found->second;
  flip.set_count(flip.count() + 1);
  if (flip.event_ids_size() < kMaxExamples) flip.add_event_ids(event.id());
}

v1::Simulation Replay::report() const {
  v1::Simulation report = counts_;
  for (const auto& [reason, count] : not_judged_) {
    auto* const cause = report.add_not_judged();
    cause->set_reason(reason);
    cause->set_count(count);
  }
  for (const auto& [pair, count] : changes_) {
    auto* const change = report.add_changes();
    change->set_before(outcome_of(pair.first));
    change->set_after(outcome_of(pair.second));
    change->set_count(count);
  }
  std::vector<const v1::Simulation::Flip*> sorted;
  for (const auto& [key, flip] : flips_) sorted.push_back(&flip);
  // Those of one count stay in the order of their keys.
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* left, const auto* right) {
    return left->count() > right->count();
  });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i < kMaxFlips)
      *report.add_flips() = *sorted[i];
    else
      report.set_flips_left_out(report.flips_left_out() + sorted[i]->count());
  }
  return report;
}

}  // namespace aispm::policy
