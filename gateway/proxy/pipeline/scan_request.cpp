// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/scan_request.hpp"

#include <algorithm>

#include "gateway/proxy/pipeline/seam_judge.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"
#include "sdk/core/codec/media_text.hpp"

namespace aispm::gateway {
namespace {

using detect::Match;
using model::Outcome;

bool withholds(Outcome outcome) { return outcome == Outcome::kRedact || outcome == Outcome::kDeny; }

// A policy denial that no rule asked for: the match stands where it cannot be cut out.
policy::Verdict uncuttable(policy::Verdict verdict) {
  if (verdict.applied != Outcome::kRedact) return verdict;
  verdict.decided = verdict.applied = Outcome::kDeny;
  return verdict;
}

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

TextJudge::Ask ask_for(const ScanContext& context, const codec::TextPart& part) {
  const detect::Surface surface = surface_of(part);
  const bool is_media = part.surface == codec::Surface::kMedia;
  return {.surface = surface,
          .outcomes = &context.tables->of_request(surface),
          .classify = !is_media,
          .editable = !part.is_key && !is_media && !part.is_sealed};
}

// All of a text is the base64 of a file (its address, `data:text/plain;base64,`, may stand before
// it), and what was found stands in the decoded file. A label in its place would be no base64, and
// the provider would refuse the request or read noise.
bool is_cut_of_file(const codec::TextPart& part, const detect::Inspection& inspection) {
  if (part.is_message) return false;  // prose: its reader sees the label
  const std::string_view text = part.text;
  return std::any_of(inspection.matches.begin(), inspection.matches.end(), [&](const Match& match) {
    if (!match.encoded) return false;
    const std::string_view before = text.substr(0, match.offset);
    const std::string_view after = text.substr(match.offset + match.length);
    return (before.empty() || (before.starts_with("data:") && before.ends_with(";base64,"))) &&
           after.find_first_not_of("=\r\n") == std::string_view::npos;
  });
}

// What pictures, sounds and files of a request say, by part; empty where there are none.
using Media = std::vector<codec::MediaReading>;

Result<Media> read_media_of(const codec::LlmRequest& request) {
  Media media;
  std::size_t left = codec::kMaxInflatedTogetherBytes;
  for (std::size_t i = 0; i < request.parts.size(); ++i) {
    if (request.parts[i].surface != codec::Surface::kMedia) continue;
    media.resize(request.parts.size());
    AISPM_TRY(media[i], codec::read_encoded_media(request.parts[i].text, left));
    left -= media[i].inflated_bytes;
  }
  return media;
}

// What is read of a part as it stands. Of a whole picture, sound or file of a known kind that is
// what comes before its base64: no rule is about pixels, large ones would take all the time there
// is, and what looks like data in them is chance. What it says besides is judged apart.
std::string_view read_as_text(const codec::TextPart& part, bool is_whole_media) {
  if (!is_whole_media) return part.text;
  return part.text.starts_with("data:") ? part.text.substr(0, part.text.find(',') + 1)
                                        : std::string_view();
}

// One pass over all texts that are new here; nearly always there is nothing to find.
Result<bool> screen_request(const ScanContext& context, const codec::LlmRequest& request,
                            const Media& media, const TextJudge& judge) {
  std::vector<KnownTexts::Place>& places = context.bench->places;
  std::vector<std::string_view>& texts = context.bench->texts;
  std::vector<std::string_view>& readings = context.bench->readings;
  places.clear();
  texts.clear();
  readings.clear();
  detect::SurfaceBits surfaces = 0;
  for (std::size_t i = 0; i < request.parts.size(); ++i) {
    const codec::TextPart& part = request.parts[i];
    places.emplace_back();
    const bool is_whole = !media.empty() && media[i].is_whole;
    const std::string_view text = readings.emplace_back(read_as_text(part, is_whole));
    if (text.empty()) continue;
    const TextJudge::Ask ask = ask_for(context, part);
    places.back() = judge.find_known(text, ask);
    if (places.back().is_known) continue;
    texts.push_back(text);
    surfaces = static_cast<detect::SurfaceBits>(surfaces | detect::surface_bit(ask.surface));
  }
  if (texts.empty()) return false;
  return context.book->engine->may_match(texts, surfaces, context.bench->scratch);
}

// What a picture says beside its pixels, and the like. It cannot be cut out: what would be redacted
// is denied.
Result<> judge_media(const ScanContext& context, const std::string& text, TextJudge& judge) {
  if (text.empty()) return {};
  constexpr detect::Surface kSurface = detect::Surface::kRetrievedDocument;
  AISPM_CHECK(judge.judge(text, {.surface = kSurface,
                                 .outcomes = &context.tables->of_request(kSurface),
                                 .classify = false,  // it is no prose, and may hold noise
                                 .editable = false}));
  return {};
}

// What a bundle says of data in these texts; of a request's only its module `pii` does.
const OutputRules::Word* word_on(const ScanContext& context, policy::Direction direction,
                                 const model::Detection& detection) {
  const bool is_tools = direction == policy::Direction::kReply &&
                        detection.surface != detect::name_of(detect::Surface::kReply);
  const OutputRules::Word* const word =
      context.output && !is_tools ? context.output->of(detection.category) : nullptr;
  return word != nullptr && word->outcome != Outcome::kAllow ? word : nullptr;
}

// What is done with it: of personal data each kind has a word of its own, which stands in the
// table.
Outcome outcome_on(const ScanContext& context, policy::Direction direction,
                   const model::Detection& detection, const OutputRules::Word& word) {
  const auto surface = detect::parse_surface(detection.surface);
  const auto& rules = context.book->engine->rules();
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const detect::Rule& one) {
    return one.id == detection.rule_id;
  });
  if (!surface || rule == rules.end()) return word.outcome;
  const detect::Outcomes& table = direction == policy::Direction::kReply
                                      ? context.tables->of_reply(*surface)
                                      : context.tables->of_request(*surface);
  const Outcome said = table[static_cast<std::size_t>(rule - rules.begin())];
  return withholds(said) ? said : Outcome::kAllow;
}

// Whether `next` goes on where `part` ends, for whoever reads them: other surfaces and results of
// other calls (whose names stand elsewhere in the body) do not.
bool is_same_message(const codec::TextPart& part, const codec::TextPart& next) {
  return part.message == next.message && part.surface == next.surface &&
         part.tool.data() == next.tool.data();
}

// Puts the parts of messages that have several through a SeamJudge; of one that has a single part
// nothing is copied.
class MessageSeams {
 public:
  MessageSeams(const ScanContext& context, const codec::LlmRequest& request, Findings& findings)
      : context_(context),
        parts_(request.parts),
        seams_(context, policy::Direction::kRequest, findings) {}

  // Part `index`, which was judged; `shown` is what stays of it.
  Result<> add(std::size_t index, std::string_view shown) {
    const codec::TextPart& part = parts_[index];
    if (!part.is_message) return {};
    std::size_t next = index + 1;
    while (next < parts_.size() && !parts_[next].is_message) ++next;
    const bool goes_on = next < parts_.size() && is_same_message(part, parts_[next]);
    if (goes_on || is_open_) seams_.add(shown);
    if (is_open_ && !goes_on) {
      const detect::Surface surface = surface_of(part);
      AISPM_CHECK(seams_.judge(surface, context_.tables->of_request(surface)));
    }
    is_open_ = goes_on;
    return {};
  }

 private:
  const ScanContext& context_;
  const std::vector<codec::TextPart>& parts_;
  SeamJudge seams_;
  bool is_open_ = false;  // the part before goes on in the next
};

}  // namespace

policy::Verdict verdict_on(const ScanContext& context, policy::Direction direction,
                           const model::Detection& detection) {
  policy::Verdict verdict =
      context.book->policy->judge(context.caller, direction, policy::fact_of(detection));
  if (const OutputRules::Word* const word = word_on(context, direction, detection)) {
    const Outcome outcome = outcome_on(context, direction, detection, *word);
    strengthen(verdict, {.decided = outcome,
                         .applied = outcome,
                         .mode = policy::Mode::kEnforce,
                         .rule_id = word->rule_id,
                         .reason = word->reason});
  }
  if (context.book->guardrails)
    if (const auto said = context.book->guardrails->judge(direction, policy::fact_of(detection),
                                                          context.book->policy->default_mode()))
      strengthen(verdict, *said);
  return verdict;
}

void judge(Findings& findings, std::size_t first, const ScanContext& context,
           policy::Direction direction) {
  for (std::size_t i = first; i < findings.detections.size(); ++i)
    strengthen(findings.verdict, verdict_on(context, direction, findings.detections[i]));
}

Result<RequestScan> scan_request(const ScanContext& context, const codec::LlmRequest& request) {
  RequestScan result;
  Findings& findings = result.findings;
  TextJudge judge(context, policy::Direction::kRequest, findings);
  AISPM_TRY(const Media media, read_media_of(request));
  AISPM_TRY(const bool may_match, screen_request(context, request, media, judge));
  if (context.keeps_looks) result.looks.resize(request.parts.size());
  std::size_t hidden_bytes = 0;
  std::string clean;
  MessageSeams seams(context, request, findings);
  for (std::size_t i = 0; i < request.parts.size(); ++i) {
    const codec::TextPart& part = request.parts[i];
    if (part.text.empty()) continue;
    TextJudge::Ask ask = ask_for(context, part);
    ask.rules = may_match;
    ask.place = context.bench->places[i];
    const bool is_media = part.surface == codec::Surface::kMedia;
    TextJudge::Judged judged;
    if (const std::string_view text = context.bench->readings[i]; !text.empty()) {
      AISPM_TRY(judged, judge.judge(text, ask));
    }
    if (context.keeps_looks && !is_media)
      result.looks[i] = judge.first_look(RequestScan::kMaxHiddenBytes, hidden_bytes);
    if (judged.redacts && !judged.denied && is_cut_of_file(part, context.bench->inspection)) {
      judged.denied = true;
      findings.verdict = uncuttable(findings.verdict);
      findings.verdict.applied = Outcome::kDeny;
    }
    std::string_view shown = part.text;
    // Of a denied request for the record only.
    if ((judged.redacts || judged.denied) && !part.is_key && !is_media) {
      clean.clear();
      findings.redactions += judge.cut_out(part.text, clean);
      result.patches.push_back(codec::string_patch(part.span, clean));
      shown = clean;
    }
    AISPM_CHECK(seams.add(i, shown));
    if (is_media) AISPM_CHECK(judge_media(context, media[i].text, judge));
    if (part.surface != codec::Surface::kToolArguments) continue;
    AISPM_CHECK(scan_unescaped(context, part.text, ask.surface, *ask.outcomes, findings,
                               policy::Direction::kRequest));
  }
  return result;
}

Result<bool> scan_unescaped(const ScanContext& context, std::string_view arguments,
                            detect::Surface surface, const detect::Outcomes& outcomes,
                            Findings& findings, policy::Direction direction) {
  if (arguments.find('\\') == std::string_view::npos) return false;
  const std::string text = resolve_escapes(arguments);
  std::vector<Match> matches;
  AISPM_CHECK(context.book->engine->scan(text, surface, context.bench->scratch, matches));
  detect::drop_weak(*context.book->engine, surface, matches, context.bench->fused.sums);
  // What stands in the raw text letter by letter was judged there.
  const bool hidden = std::any_of(matches.begin(), matches.end(), [&](const Match& match) {
    return withholds(outcomes[match.rule]) &&
           arguments.find(std::string_view(text).substr(match.offset, match.length)) ==
               std::string_view::npos;
  });
  if (!hidden) return false;
  const std::size_t first = findings.detections.size();
  for (const Match& match : matches)
    findings.add(detect::describe(context.book->engine->rules()[match.rule], match, text, surface));
  judge(findings, first, context, direction);
  findings.verdict = uncuttable(findings.verdict);
  findings.verdict.applied = Outcome::kDeny;
  return true;
}

}  // namespace aispm::gateway
