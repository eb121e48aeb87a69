// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/scan_request.hpp"

#include <algorithm>
#include <array>

namespace aispm::gateway {
namespace {

using detect::Match;
using model::Outcome;

// An earlier answer that a client sends back is the client's word: it is scanned like a prompt.
constexpr std::array kSurfaces = {
    detect::Surface::kSystem,           // codec kSystem
    detect::Surface::kPrompt,           // kPrompt
    detect::Surface::kPrompt,           // kAssistant
    detect::Surface::kToolResult,       // kToolResult
    detect::Surface::kToolArguments,    // kToolArguments
    detect::Surface::kToolDescription,  // kToolDescription
    detect::Surface::kPrompt,           // kOther
    detect::Surface::kPrompt,           // kMedia: the engine looks into base64
};

bool withholds(Outcome outcome) { return outcome == Outcome::kRedact || outcome == Outcome::kDeny; }

// A policy denial that no rule asked for: the match stands where it cannot be cut out.
policy::Verdict uncuttable(policy::Verdict verdict) {
  if (verdict.applied != Outcome::kRedact) return verdict;
  verdict.decided = verdict.applied = Outcome::kDeny;
  return verdict;
}

struct PartScan {
  const ScanContext& context;
  RequestScan& result;

  void add(const codec::TextPart& part, detect::Surface surface) {
    const std::vector<Match>& matches = context.bench->matches;
    const auto& rules = context.book->engine->rules();
    Findings& findings = result.findings;
    const std::size_t first = findings.detections.size();
    for (const Match& match : matches)
      findings.add(detect::describe(rules[match.rule], match, part.text, surface));
    judge(findings, first, *context.book->policy, context.caller, policy::Direction::kRequest);
    const detect::Outcomes& outcomes = context.tables->of_request(surface);
    bool denied = false;
    bool redacted = false;
    for (const Match& match : matches) {
      denied = denied || outcomes[match.rule] == Outcome::kDeny;
      redacted = redacted || outcomes[match.rule] == Outcome::kRedact;
    }
    if (denied)
      findings.verdict.applied =
          Outcome::kDeny;  // also when the match fell out of the record's limit
    if (!redacted && !denied) return;
    if (part.is_key || part.surface == codec::Surface::kMedia) {
      findings.verdict = uncuttable(findings.verdict);
      return;
    }
    std::string text;
    findings.redactions += detect::redact(rules, part.text, matches, outcomes, text);
    result.patches.push_back(
        codec::string_patch(part.span, text));  // of a denied request for the record only
  }
};

// Resolves JSON escapes wherever they stand, without caring for structure.
std::string resolve_escapes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\' || i + 1 >= text.size()) {
      out.push_back(text[i++]);
      continue;
    }
    const std::size_t size = text[i + 1] == 'u' ? 6 : 2;
    // A surrogate pair is two escapes that mean one character.
    std::size_t taken = std::min(size, text.size() - i);
    auto decoded = codec::json_unescape("\"" + std::string(text.substr(i, taken)) + "\"");
    if (!decoded && size == 6 && text.size() - i >= 12) {
      taken = 12;
      decoded = codec::json_unescape("\"" + std::string(text.substr(i, taken)) + "\"");
    }
    out.append(decoded ? *decoded : std::string(text.substr(i, taken)));
    i += taken;
  }
  return out;
}

// One pass over all texts; nearly always there is nothing to find.
Result<bool> screen_request(const ScanContext& context, const codec::LlmRequest& request) {
  std::vector<std::string_view>& texts = context.bench->texts;
  texts.clear();
  detect::SurfaceBits surfaces = 0;
  for (const codec::TextPart& part : request.parts) {
    if (part.text.empty()) continue;
    texts.push_back(part.text);
    surfaces = static_cast<detect::SurfaceBits>(
        surfaces | detect::surface_bit(kSurfaces.at(static_cast<std::size_t>(part.surface))));
  }
  return context.book->engine->may_match(texts, surfaces, context.bench->scratch);
}

}  // namespace

Result<RequestScan> scan_request(const ScanContext& context, const codec::LlmRequest& request) {
  RequestScan result;
  PartScan scan{context, result};
  std::vector<Match>& matches = context.bench->matches;
  AISPM_TRY(const bool may_match, screen_request(context, request));
  for (const codec::TextPart& part : request.parts) {
    if (part.text.empty()) continue;
    const detect::Surface surface = kSurfaces.at(static_cast<std::size_t>(part.surface));
    if (may_match) {
      AISPM_CHECK(context.book->engine->scan(part.text, surface, context.bench->scratch, matches));
      if (!matches.empty()) scan.add(part, surface);
    }
    if (surface != detect::Surface::kToolArguments) continue;
    const detect::Outcomes& outcomes = context.tables->of_request(surface);
    AISPM_CHECK(
        scan_unescaped(context, part.text, outcomes, result.findings, policy::Direction::kRequest));
  }
  return result;
}

Result<bool> scan_unescaped(const ScanContext& context, std::string_view arguments,
                            const detect::Outcomes& outcomes, Findings& findings,
                            policy::Direction direction) {
  if (arguments.find('\\') == std::string_view::npos) return false;
  const std::string text = resolve_escapes(arguments);
  std::vector<Match> matches;
  AISPM_CHECK(context.book->engine->scan(text, detect::Surface::kToolArguments,
                                         context.bench->scratch, matches));
  // What stands in the raw text letter by letter was judged there.
  const bool hidden = std::any_of(matches.begin(), matches.end(), [&](const Match& match) {
    return withholds(outcomes[match.rule]) &&
           arguments.find(std::string_view(text).substr(match.offset, match.length)) ==
               std::string_view::npos;
  });
  if (!hidden) return false;
  const std::size_t first = findings.detections.size();
  for (const Match& match : matches)
    findings.add(detect::describe(context.book->engine->rules()[match.rule], match, text,
                                  detect::Surface::kToolArguments));
  judge(findings, first, *context.book->policy, context.caller, direction);
  findings.verdict = uncuttable(findings.verdict);
  findings.verdict.applied = Outcome::kDeny;
  return true;
}

}  // namespace aispm::gateway
