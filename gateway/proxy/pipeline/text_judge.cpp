// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/text_judge.hpp"

#include <algorithm>

#include "sdk/core/common/keyed_hash.hpp"

namespace aispm::gateway {
namespace {

using detect::Layer;
using detect::LayerReport;
using model::Outcome;

// Shorter texts are names and words: nobody can be talked into anything by them.
constexpr std::size_t kMinClassifiedBytes = 12;

const detect::Rule& classifier_rule() {
  static const detect::Rule rule = [] {
    detect::Rule made;
    made.id = detect::kClassifierRule;
    made.category = detect::Category::kPromptInjection;
    made.entity = "INSTRUCTION";
    return made;
  }();
  return rule;
}

// Where policy keeps no text, the classifier's window is none either: it may be anything.
void take_words_out(model::Detection& detection) {
  detection.evidence = "[" + std::to_string(detection.length) + " bytes]";
  std::erase_if(detection.features,
                [](const std::string& feature) { return feature.starts_with("words: "); });
}

std::size_t index_of(Layer layer) { return static_cast<std::size_t>(layer); }

}  // namespace

TextJudge::TextJudge(const ScanContext& context, policy::Direction direction, Findings& findings)
    : context_(context),
      direction_(direction),
      findings_(findings),
      deadline_(context.inspect.now() + context.inspect.total) {}

detect::InspectOptions TextJudge::options_for(std::string_view text, const Ask& ask) const {
  detect::InspectOptions options = context_.inspect;
  options.classifier = &context_.bench->tier1;
  options.nothing_matches = !ask.rules;
  auto& layers = options.layers;
  layers[index_of(Layer::kRules)] = layers[index_of(Layer::kRules)] && ask.rules && ask.plain;
  bool& classifies = layers[index_of(Layer::kClassifier)];
  classifies = classifies && ask.classify && text.size() >= kMinClassifiedBytes;
  // What disguises hide is for rules and classifier alike.
  bool& uncovers = layers[index_of(Layer::kDisguise)];
  uncovers = uncovers && (ask.rules || classifies);
  return options;
}

KnownTexts::Place TextJudge::find_known(std::string_view text, const Ask& ask) const {
  if (!ask.plain) return {};
  // Media are not classified; all else that differs follows from the text's length or is the same
  // for all that this bench judges, but for layers that a tenant does not want.
  std::uint64_t tag = static_cast<std::uint64_t>(ask.surface) << 8U | (ask.classify ? 1U : 0U);
  for (const bool on : context_.inspect.layers) tag = tag << 1U | (on ? 1U : 0U);
  return context_.bench->known.place_of(tag, text);
}

Result<> TextJudge::inspect(std::string_view text, const Ask& ask) {
  Workbench& bench = *context_.bench;
  const KnownTexts::Place place = ask.place.key != 0 ? ask.place : find_known(text, ask);
  detect::InspectOptions options = options_for(text, ask);
  if (place.is_known ||
      std::none_of(options.layers.begin(), options.layers.end(), [](bool on) { return on; })) {
    bench.inspection.matches.clear();
    bench.inspection.verdict = {};
    bench.inspection.hidden.clear();
    bench.inspection.layers = {};
    return {};
  }
  options.total =
      std::max(std::chrono::microseconds(0),
               std::chrono::duration_cast<std::chrono::microseconds>(deadline_ - options.now()));
  AISPM_CHECK(detect::inspect(*context_.book->engine, text, ask.surface, options, bench.scratch,
                              bench.inspection));
  // What hides something is read each time: slower judges are asked about it.
  const bool is_clean = bench.inspection.matches.empty() && bench.inspection.hidden.empty() &&
                        bench.inspection.is_complete() &&
                        bench.inspection.verdict.level == detect::ClassifierLevel::kNone;
  if (place.key != 0 && is_clean) bench.known.add(place.key);
  return {};
}

void TextJudge::note_layers() {
  for (const LayerReport& report : context_.bench->inspection.layers)
    if (report.state == LayerReport::State::kLate) ++findings_.late;
  if (!context_.bench->inspection.is_complete()) ++findings_.cut;
}

void TextJudge::note_pieces(const Ask& ask, Judged& judged) {
  const auto& rules = context_.book->engine->rules();
  for (const detect::Match& match : context_.bench->inspection.matches) {
    const Outcome outcome = (*ask.outcomes)[match.rule];
    judged.denied = judged.denied || outcome == Outcome::kDeny;
    judged.redacts = judged.redacts || outcome == Outcome::kRedact;
    if (outcome == Outcome::kDeny || outcome == Outcome::kRedact)
      pieces_.push_back({match.offset, match.offset + match.length, &rules[match.rule]});
  }
  std::stable_sort(pieces_.begin(), pieces_.end(),
                   [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
}

Result<TextJudge::Judged> TextJudge::judge(std::string_view text, const Ask& ask) {
  pieces_.clear();
  AISPM_CHECK(inspect(text, ask));
  note_layers();
  Judged judged;
  detect::Inspection& inspection = context_.bench->inspection;
  // Rules that policy does not judge are not there.
  std::erase_if(inspection.matches, [&](const detect::Match& match) {
    return (*ask.outcomes)[match.rule] == Outcome::kUnspecified;
  });
  if (inspection.matches.empty() && inspection.verdict.level == detect::ClassifierLevel::kNone)
    return judged;
  const detect::Engine& engine = *context_.book->engine;
  detect::Fused& fused = context_.bench->fused;
  detect::drop_weak(engine, ask.surface, inspection.matches, fused.sums);
  detect::fuse(engine, ask.surface, inspection, fused);
  findings_.dropped += fused.dropped;
  judged.found = !fused.findings.empty() || fused.dropped > 0;
  for (const detect::Finding& finding : fused.findings) {
    model::Detection detection = detect::describe(engine, text, ask.surface, inspection, finding);
    const policy::Verdict verdict = verdict_on(context_, direction_, detection);
    strengthen(findings_.verdict, verdict);
    if (finding.rule == nullptr) {
      if (!context_.book->policy->store_text()) take_words_out(detection);
      judged.denied = judged.denied || verdict.applied == Outcome::kDeny;
      judged.redacts = judged.redacts || verdict.applied == Outcome::kRedact;
      if (verdict.applied == Outcome::kDeny || verdict.applied == Outcome::kRedact)
        pieces_.push_back(
            {detection.offset, detection.offset + detection.length, &classifier_rule()});
    }
    if (context_.hash_key != nullptr &&
        detection.category == detect::name_of(detect::Category::kSecret))
      detection.features.push_back(value_feature(
          keyed_hash(*context_.hash_key, text.substr(detection.offset, detection.length))));
    findings_.add(std::move(detection));
  }
  note_pieces(ask, judged);
  judged.denied = judged.denied || (judged.redacts && !ask.editable);
  // Also when what policy denies did not fit into the record.
  if (judged.denied) findings_.verdict.decided = findings_.verdict.applied = Outcome::kDeny;
  return judged;
}

FirstLook TextJudge::first_look(std::size_t max_bytes, std::size_t& kept_bytes) const {
  const detect::Inspection& inspection = context_.bench->inspection;
  FirstLook look;
  const LayerReport::State state = inspection.of(Layer::kClassifier).state;
  const bool was_read = state == LayerReport::State::kDone || state == LayerReport::State::kLate;
  if (was_read && inspection.verdict.trick == detect::Trick::kNone)
    look.score = inspection.verdict.score;
  if (inspection.hidden.empty()) return look;
  look.hidden_dropped = kept_bytes + inspection.hidden.size() > max_bytes;
  if (look.hidden_dropped) return look;
  kept_bytes += inspection.hidden.size();
  look.hidden = inspection.hidden;
  look.hidden_score = inspection.hidden_score;
  return look;
}

std::size_t TextJudge::cut_out(std::string_view text, std::string& out) const {
  static detect::LabelRedactor labels;  // without state
  detect::Redactor* const placeholders =
      direction_ == policy::Direction::kReply ? context_.reply_redactor : context_.redactor;
  detect::Redactor& redactor = placeholders != nullptr ? *placeholders : labels;
  std::size_t count = 0;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < pieces_.size();) {
    const std::uint64_t begin = pieces_[i].begin;
    std::uint64_t end = begin;
    const detect::Rule* type = nullptr;
    for (; i < pieces_.size() && (type == nullptr || pieces_[i].begin < end); ++i) {
      end = std::max(end, pieces_[i].end);
      // Labels name the first, as in streams; of placeholders the one about data says most.
      const bool tells_more =
          type == nullptr || (placeholders != nullptr && !detect::is_data(type->category) &&
                              detect::is_data(pieces_[i].rule->category));
      if (tells_more) type = pieces_[i].rule;
    }
    out += text.substr(done, begin - done);
    redactor.append(*type, text.substr(begin, end - begin), out);
    done = end;
    ++count;
  }
  out += text.substr(done);
  return count;
}

}  // namespace aispm::gateway
