// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/inspect.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

#include "sdk/core/detect/code_text.hpp"
#include "sdk/core/detect/redact.hpp"
#include "sdk/core/detect/split_words.hpp"

namespace aispm::detect {
namespace {

using State = LayerReport::State;
using Clock = InspectOptions::Clock;

constexpr std::array<std::string_view, kLayerCount> kLayerNames = {"rules", "disguise",
                                                                   "classifier"};

// Runs one layer after another and keeps the books of their time.
class Books {
 public:
  Books(const InspectOptions& options, std::size_t bytes, Inspection& out)
      : options_(options),
        out_(out),
        share_(static_cast<double>(std::max(bytes, kBudgetBytes)) / kBudgetBytes),
        start_(options.now()) {}

  bool is_on(Layer layer) const { return options_.layers[static_cast<std::size_t>(layer)]; }
  // When the layer must be done; in the past when the total is used up.
  Clock::time_point deadline(Layer layer) const {
    return std::min(options_.now() + budget(layer), start_ + options_.total);
  }
  bool has_time() const { return options_.now() < start_ + options_.total; }
  void close(Layer layer, Clock::time_point from, bool cut) {
    LayerReport& report = out_.layers[static_cast<std::size_t>(layer)];
    report.spent = options_.now() - from;
    const bool late = report.spent > budget(layer);
    report.state = cut ? State::kCut : late ? State::kLate : State::kDone;
  }

 private:
  std::chrono::nanoseconds budget(Layer layer) const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        options_.budgets[static_cast<std::size_t>(layer)] * share_);
  }

  const InspectOptions& options_;
  Inspection& out_;
  double share_;  // of the budgets that the text has, at least 1
  Clock::time_point start_;
};

// Of what is fetched most is code and markup, and a suspicion there is mostly wrong. Not so of what
// a disguise hides.
void trust_code(std::string_view text, Surface surface, ClassifierVerdict& verdict) {
  const bool fetched = surface == Surface::kToolResult || surface == Surface::kEmailOrWeb ||
                       surface == Surface::kRetrievedDocument || surface == Surface::kMemoryWrite;
  if (!fetched || verdict.level != ClassifierLevel::kSuspect) return;
  if (!reads_like_code(text.substr(verdict.begin, verdict.end - verdict.begin))) return;
  verdict.level = ClassifierLevel::kNone;
  verdict.confidence = std::min(verdict.confidence, kNoSuspicion);
}

// Lets the classifier read what disguises hide, and keeps the worst verdict.
class HiddenTexts final : public ViewReader {
 public:
  HiddenTexts(TextClassifier& classifier, std::string_view text, Surface surface, Inspection& out)
      : classifier_(classifier), text_(text), surface_(surface), out_(out), worst_(out.verdict) {}

  // Whether all of the text was read with its broken words mended.
  bool has_read_mended() const { return has_read_mended_; }

  void read(std::string_view view, Trick trick, const Origin& origin) override {
    ClassifierVerdict verdict = classifier_.classify(view, surface_);
    if (trick == Trick::kBroken && !view.empty()) {
      const Span whole = origin.of(0, view.size());
      has_read_mended_ = has_read_mended_ || (whole.end - whole.begin) * 10 >= text_.size() * 9;
    }
    if (view.size() <= Inspection::kMaxHiddenBytes &&
        (out_.hidden.empty() || verdict.score > out_.hidden_score)) {
      out_.hidden.assign(view);
      out_.hidden_score = verdict.score;
    }
    if (verdict.level == ClassifierLevel::kNone || !is_worse(verdict, worst_)) return;
    const auto move_span = [&](std::size_t& begin, std::size_t& end) {
      end = std::min(end, view.size());
      if (begin >= end) {
        begin = end = 0;
        return;
      }
      const Span place = origin.of(begin, end);
      begin = place.begin;
      end = place.end;
    };
    const std::size_t read_bytes = verdict.end - std::min(verdict.begin, verdict.end);
    move_span(verdict.begin, verdict.end);
    for (std::size_t i = 0; i < verdict.feature_count; ++i)
      move_span(verdict.features.at(i).begin, verdict.features.at(i).end);
    verdict.trick = trick;
    if (is_unchanged(read_bytes, verdict)) {
      verdict.trick = Trick::kNone;
      trust_code(text_, surface_, verdict);
      if (verdict.level == ClassifierLevel::kNone) return;
    }
    worst_ = verdict;
  }

  static bool is_worse(const ClassifierVerdict& one, const ClassifierVerdict& other) {
    return other.level == ClassifierLevel::kNone || one.score > other.score;
  }

 private:
  // A view of all of the text shows parts as they stand there, give or take a hyphen: what is
  // suspected in such a part is no disguise.
  bool is_unchanged(std::size_t read_bytes, const ClassifierVerdict& verdict) const {
    constexpr std::size_t kPartChanged = 50;  // one byte of so many
    const std::size_t bytes = verdict.end - verdict.begin;
    const std::size_t changed = bytes > read_bytes ? bytes - read_bytes : read_bytes - bytes;
    return (verdict.trick == Trick::kBroken || verdict.trick == Trick::kEscape ||
            verdict.trick == Trick::kEntity || verdict.trick == Trick::kPercent) &&
           changed * kPartChanged <= bytes;
  }

  TextClassifier& classifier_;
  std::string_view text_;
  bool has_read_mended_ = false;
  Surface surface_;
  Inspection& out_;
  ClassifierVerdict& worst_;
};

bool overlaps_data(const Engine& engine, const Inspection& inspection, std::size_t begin,
                   std::size_t end) {
  return std::any_of(inspection.matches.begin(), inspection.matches.end(), [&](const Match& match) {
    return is_data(engine.rules()[match.rule].category) && match.offset < end &&
           begin < match.offset + match.length;
  });
}

model::Detection describe_verdict(const Engine& engine, std::string_view text, Surface surface,
                                  const Inspection& inspection) {
  const ClassifierVerdict& verdict = inspection.verdict;
  const std::size_t end = std::min(verdict.end, text.size());
  const std::size_t begin = std::min(verdict.begin, end);
  model::Detection detection;
  detection.rule_id = kClassifierRule;
  detection.category = name_of(Category::kPromptInjection);
  detection.severity =
      verdict.level == ClassifierLevel::kSure ? model::Severity::kHigh : model::Severity::kMedium;
  detection.confidence = verdict.confidence;
  detection.surface = name_of(surface);
  detection.offset = begin;
  detection.length = end - begin;
  // The window may hold what another rule found to be secret.
  const bool data = overlaps_data(engine, inspection, begin, end);
  detection.evidence = mask(text.substr(begin, end - begin), data ? Mask::kAll : Mask::kText);
  detection.message = "Reads like an attempt to take over the model";
  detection.tags = {"owasp-llm:LLM01"};
  if (verdict.trick != Trick::kNone)
    detection.features.push_back("hidden by: " + std::string(name_of(verdict.trick)));
  for (std::size_t i = 0; i < verdict.feature_count; ++i) {
    const ClassifierFeature& feature = verdict.features[i];
    const std::size_t stop = std::min(feature.end, text.size());
    const std::size_t from = std::min(feature.begin, stop);
    std::string what;
    for (std::size_t part = 0; part < feature.meaning_count; ++part)
      what += (part == 0 ? "means: " : " ") + std::string(feature.meanings.at(part));
    if (what.empty())
      what = "words: " + mask(text.substr(from, stop - from), data ? Mask::kAll : Mask::kText);
    detection.features.push_back(std::move(what));
  }
  return detection;
}

// Takes away matches whose surroundings tier 1 finds harmless, where their rules ask for that. Only
// of what stands in the text as it is: what was hidden is no manual.
void drop_unsupported(const Engine& engine, std::string_view text, Surface surface,
                      TextClassifier& classifier, std::vector<Match>& matches) {
  std::size_t asked = 0;
  std::erase_if(matches, [&](const Match& match) {
    if (!engine.rules()[match.rule].needs_support_on(surface)) return false;
    if (match.encoded || match.trick != Trick::kNone || ++asked > kMaxSupportAsked) return false;
    const std::size_t begin = match.offset > kSupportBytes ? match.offset - kSupportBytes : 0;
    const std::size_t bytes = match.offset + match.length + kSupportBytes - begin;
    return classifier.classify(text.substr(begin, bytes), surface).score < kSupportScore;
  });
}

}  // namespace

std::string_view name_of(Layer layer) { return kLayerNames.at(static_cast<std::size_t>(layer)); }

bool Inspection::is_complete() const {
  return std::none_of(layers.begin(), layers.end(),
                      [](const LayerReport& report) { return report.state == State::kCut; });
}

Result<> inspect(const Engine& engine, std::string_view text, Surface surface,
                 const InspectOptions& options, Scratch& scratch, Inspection& out) {
  out.matches.clear();
  out.verdict = {};
  out.hidden.clear();
  out.layers = {};
  Books books(options, text.size(), out);
  bool has_read_mended = false;
  if (books.is_on(Layer::kRules) && !options.nothing_matches) {
    const auto from = options.now();
    AISPM_CHECK(engine.scan(text, surface, scratch, out.matches, {.looks_deeper = false}));
    books.close(Layer::kRules, from, false);
  }
  if (books.is_on(Layer::kDisguise)) {
    const auto from = options.now();
    ScanReport report;
    std::optional<HiddenTexts> hidden;
    if (books.is_on(Layer::kClassifier) && options.classifier != nullptr)
      hidden.emplace(*options.classifier, text, surface, out);
    if (books.has_time()) {
      AISPM_CHECK(engine.scan(text, surface, scratch, out.matches,
                              {.reads_plain = false,
                               .replies_too = true,
                               .nothing_matches = options.nothing_matches,
                               .deadline = books.deadline(Layer::kDisguise),
                               .now = options.now,
                               .report = &report,
                               .views = hidden ? &*hidden : nullptr}));
    } else {
      report.cut = true;
    }
    has_read_mended = hidden && hidden->has_read_mended() && !report.cut;
    books.close(Layer::kDisguise, from, report.cut);
  }
  if (books.is_on(Layer::kClassifier) && options.classifier != nullptr) {
    const auto from = options.now();
    const bool runs = books.has_time();
    // Halves of words are no language: it would guess, while it has read them put together.
    if (runs && !(has_read_mended && is_mostly_split(text))) {
      ClassifierVerdict verdict = options.classifier->classify(text, surface);
      trust_code(text, surface, verdict);
      if (HiddenTexts::is_worse(verdict, out.verdict)) out.verdict = verdict;
    }
    // Who writes the system prompt need not take the model over: to be told of, not to be sure of.
    if (surface == Surface::kSystem && out.verdict.level == ClassifierLevel::kSure)
      out.verdict.level = ClassifierLevel::kSuspect;
    if (runs) drop_unsupported(engine, text, surface, *options.classifier, out.matches);
    books.close(Layer::kClassifier, from, !runs);
  }
  return {};
}

void CategorySums::add_up(const Engine& engine, Surface surface,
                          const std::vector<Match>& matches) {
  std::array<double, kCategoryCount> doubts;
  doubts.fill(1);
  counted_.assign(engine.rules().size(), false);
  for (const Match& match : matches) {
    if (counted_[match.rule]) continue;
    counted_[match.rule] = true;
    const Rule& rule = engine.rules()[match.rule];
    doubts[static_cast<std::size_t>(rule.category)] *= 1 - rule.confidence_on(surface);
  }
  for (std::size_t i = 0; i < kCategoryCount; ++i) sums_[i] = 1 - doubts[i];
}

namespace {

bool is_weak(const Engine& engine, Surface surface, const Match& match) {
  return engine.rules()[match.rule].is_weak_on(surface);
}

// Whether the category of `match` reaches its threshold.
bool is_enough(const Engine& engine, Surface surface, const Match& match,
               const CategorySums& sums) {
  const Category category = engine.rules()[match.rule].category;
  return sums[category] >=
         engine.thresholds()[static_cast<std::size_t>(category)][static_cast<std::size_t>(surface)];
}

bool has_weak(const Engine& engine, Surface surface, const std::vector<Match>& matches) {
  return std::any_of(matches.begin(), matches.end(),
                     [&](const Match& match) { return is_weak(engine, surface, match); });
}

}  // namespace

void drop_weak(const Engine& engine, Surface surface, std::vector<Match>& matches,
               CategorySums& sums) {
  if (!has_weak(engine, surface, matches)) return;
  sums.add_up(engine, surface, matches);
  std::erase_if(matches, [&](const Match& match) {
    return is_weak(engine, surface, match) && !is_enough(engine, surface, match, sums);
  });
}

void fuse(const Engine& engine, Surface surface, const Inspection& inspection, Fused& out) {
  out.findings.clear();
  out.dropped = 0;
  if (has_weak(engine, surface, inspection.matches))
    out.sums.add_up(engine, surface, inspection.matches);
  for (const Match& match : inspection.matches) {
    const bool weak = is_weak(engine, surface, match);
    if (weak && !is_enough(engine, surface, match, out.sums)) continue;
    if (out.findings.size() >= Fused::kMaxFindings) {
      ++out.dropped;
      continue;
    }
    const Rule& rule = engine.rules()[match.rule];
    out.findings.push_back({&rule, match, match.offset, {}});
    if (weak) out.findings.back().together = out.sums[rule.category];
  }
  if (inspection.verdict.level != ClassifierLevel::kNone)
    out.findings.push_back({nullptr, {}, inspection.verdict.begin, {}});
  // Those of one offset in the order of the matches, the classifier's last: a stable sort would
  // allocate.
  std::sort(out.findings.begin(), out.findings.end(), [](const Finding& a, const Finding& b) {
    const auto key = [](const Finding& one) {
      return std::tuple(one.offset, one.rule == nullptr, one.match.rule);
    };
    return key(a) < key(b);
  });
}

model::Detection describe(const Engine& engine, std::string_view text, Surface surface,
                          const Inspection& inspection, const Finding& finding) {
  if (finding.rule == nullptr) return describe_verdict(engine, text, surface, inspection);
  model::Detection detection = describe(*finding.rule, finding.match, text, surface);
  if (finding.together)
    detection.features.push_back("score of " + std::string(name_of(finding.rule->category)) + ": " +
                                 std::to_string(*finding.together).substr(0, 4));
  return detection;
}

}  // namespace aispm::detect
