// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/watched_detection.hpp"

#include <algorithm>
#include <set>

#include "gateway/proxy/pipeline/text_judge.hpp"

namespace aispm::gateway {
namespace {

// Where and what, for people and for comparing: "prompt custom.bird".
std::string word_of(const model::Detection& detection) {
  return detection.surface + " " + detection.rule_id;
}

std::set<std::string> words_of(const std::vector<model::Detection>& detections) {
  std::set<std::string> words;
  for (const model::Detection& one : detections) words.insert(word_of(one));
  return words;
}

// Slower judges speak of texts whatever a bundle's rules are; they are asked once.
bool is_of_rules(const model::Detection& detection) {
  return !detection.rule_id.starts_with("guard.") && detection.rule_id != "classifier.tier2";
}

}  // namespace

std::vector<WatchedDetection> WatchedDetection::of(RuleDesk& desk, const ScanContext& enforced,
                                                   std::string_view tenant) {
  std::vector<WatchedDetection> watched;
  for (const auto& policy : enforced.policies.monitored) {
    const auto part = detect_part(policy.get());
    if (!part || part->digest == enforced.book->additions) continue;
    ScanContext context = enforced;
    context.redactor = nullptr;  // placeholders are those of what was applied
    context.reply_redactor = nullptr;
    context.vault = nullptr;
    context.output = nullptr;
    context.keeps_looks = false;
    auto rules = desk.rules(tenant, part->digest);
    if (rules) {
      context.book = std::move(rules->book);
      context.bench = std::move(rules->bench);
      context.tables = desk.tables(*context.book, context.caller);
    }
    WatchedDetection& one = watched.emplace_back(WatchedDetection(policy, std::move(context)));
    if (!rules) one.trouble_ = rules.error().message;
  }
  return watched;
}

void WatchedDetection::take(Findings findings) {
  strengthen(findings_.verdict, findings.verdict);
  findings_.dropped += findings.dropped;
  for (model::Detection& detection : findings.detections) findings_.add(std::move(detection));
  if (findings.cut > 0) trouble_ = "there was not time enough to look through all of it";
}

void WatchedDetection::take_request(const codec::LlmRequest& request) {
  if (!trouble_.empty()) return;
  auto scanned = scan_request(context_, request);
  if (!scanned) trouble_ = scanned.error().message;
  if (scanned) take(std::move(scanned->findings));
}

void WatchedDetection::take_reply(codec::Api api, const codec::LlmReply& reply) {
  if (!trouble_.empty()) return;
  auto scanned = scan_reply(context_, api, reply);
  if (!scanned) trouble_ = scanned.error().message;
  if (scanned) take(std::move(scanned->findings));
}

void WatchedDetection::take_text(std::string_view text, detect::Surface surface) {
  if (!trouble_.empty() || text.empty()) return;
  Findings findings;
  TextJudge judge(context_, policy::Direction::kReply, findings);
  const auto judged =
      judge.judge(text, {.surface = surface, .outcomes = &context_.tables->of_reply(surface)});
  if (!judged) trouble_ = judged.error().message;
  if (judged) take(std::move(findings));
}

void WatchedDetection::take_stream(const codec::StreamReply& reply) {
  take_text(reply.text(), detect::Surface::kReply);
  for (const codec::ToolCall& call : reply.tool_calls())
    take_text(call.arguments, surface_of(codec::ChannelKind::kToolArguments, call.name));
}

bool WatchedDetection::differs_from(const std::vector<model::Detection>& found) const {
  if (!trouble_.empty()) return true;
  std::vector<model::Detection> comparable;
  std::copy_if(found.begin(), found.end(), std::back_inserter(comparable), is_of_rules);
  return words_of(comparable) != words_of(findings_.detections);
}

void WatchedDetection::tell(const std::vector<model::Detection>& found, model::Decision& decision,
                            model::ActionCall& body) const {
  body.surface = "detection";
  body.tool = "detect.yaml";
  body.policy_id = policy_->id;
  decision.mode = policy::name_of(policy::Mode::kMonitor);
  decision.policy_version = policy_->version();
  decision.outcome = model::Outcome::kAllow;
  if (!trouble_.empty()) {
    decision.reason = "policy " + policy_->id + " could not be tried: " + trouble_;
    return;
  }
  const policy::Verdict& verdict = findings_.verdict;
  if (verdict.decided != model::Outcome::kUnspecified) decision.outcome = verdict.decided;
  decision.rule_id = verdict.rule_id;
  const std::set<std::string> before = words_of(found);
  const std::set<std::string> after = words_of(findings_.detections);
  std::size_t untold = findings_.dropped;
  const auto put = [&](std::string text) {
    if (body.inputs.size() < kMaxTold)
      body.inputs.push_back(std::move(text));
    else
      ++untold;
  };
  for (const model::Detection& one : findings_.detections)
    put((before.contains(word_of(one)) ? "found too: " : "found: ") + word_of(one));
  for (const model::Detection& one : found)
    if (is_of_rules(one) && !after.contains(word_of(one))) put("not found: " + word_of(one));
  decision.reason =
      "with the detect.yaml of policy " + policy_->id +
      (findings_.detections.empty() ? " nothing would be found" : " this would be found") +
      (untold == 0 ? "" : ", and " + std::to_string(untold) + " more");
}

}  // namespace aispm::gateway
