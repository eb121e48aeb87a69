// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/scan_reply.hpp"

#include <algorithm>

namespace aispm::gateway {

using detect::Match;
using model::Outcome;

detect::Surface surface_of(codec::ChannelKind kind) {
  return kind == codec::ChannelKind::kToolArguments ? detect::Surface::kToolArguments
                                                    : detect::Surface::kReply;
}

const OutcomeTables::Table& table_of(const OutcomeTables& tables, codec::Api api,
                                     codec::ChannelKind kind) {
  if (kind == codec::ChannelKind::kReasoning && api == codec::Api::kAnthropicMessages)
    return tables.sealed_reply;
  return tables.reply[static_cast<std::size_t>(surface_of(kind))];
}

namespace {

// One text of the reply whose matches are in the desk.
void add_text(const ScanContext& context, codec::Api api, const codec::ReplyText& text,
              ReplyScan& result) {
  const std::vector<Match>& matches = context.bench->matches;
  const auto& rules = context.book->engine->rules();
  Findings& findings = result.findings;
  const std::size_t first = findings.detections.size();
  for (const Match& match : matches)
    findings.add(
        detect::describe(rules[match.rule], match, text.text, surface_of(text.channel.kind)));
  judge(findings, first, *context.book->policy, context.caller, policy::Direction::kReply);
  const detect::Outcomes& outcomes = *table_of(*context.tables, api, text.channel.kind);
  const auto any = [&](Outcome outcome) {
    return std::any_of(matches.begin(), matches.end(),
                       [&](const Match& match) { return outcomes[match.rule] == outcome; });
  };
  const bool redacts = any(Outcome::kRedact);
  if (any(Outcome::kDeny) || (redacts && text.is_key)) {
    findings.verdict.decided = findings.verdict.applied = Outcome::kDeny;
    return;
  }
  if (!redacts) return;
  std::string clean;
  findings.redactions += detect::redact(rules, text.text, matches, outcomes, clean);
  result.patches.push_back(codec::string_patch(text.span, clean));
}

Result<bool> screen_reply(const ScanContext& context, const codec::LlmReply& reply) {
  std::vector<std::string_view>& texts = context.bench->texts;
  texts.clear();
  detect::SurfaceBits surfaces = 0;
  for (const codec::ReplyText& text : reply.texts) {
    if (text.text.empty()) continue;
    texts.push_back(text.text);
    surfaces = static_cast<detect::SurfaceBits>(surfaces |
                                                detect::surface_bit(surface_of(text.channel.kind)));
  }
  return context.book->engine->may_match(texts, surfaces, context.bench->scratch);
}

}  // namespace

Result<ReplyScan> scan_reply(const ScanContext& context, codec::Api api,
                             const codec::LlmReply& reply) {
  ReplyScan result;
  AISPM_TRY(const bool may_match, screen_reply(context, reply));
  for (const codec::ReplyText& text : reply.texts) {
    if (text.text.empty()) continue;
    const detect::Surface surface = surface_of(text.channel.kind);
    if (may_match) {
      AISPM_CHECK(context.book->engine->scan(text.text, surface, context.bench->scratch,
                                             context.bench->matches));
      if (!context.bench->matches.empty()) add_text(context, api, text, result);
    }
    if (surface != detect::Surface::kToolArguments) continue;
    const detect::Outcomes& outcomes = *table_of(*context.tables, api, text.channel.kind);
    AISPM_CHECK(
        scan_unescaped(context, text.text, outcomes, result.findings, policy::Direction::kReply));
  }
  if (!result.patches.empty())
    for (const codec::JsonSpan& span : reply.logprobs)
      result.patches.push_back({span, "null"});  // they repeat the text
  return result;
}

}  // namespace aispm::gateway
