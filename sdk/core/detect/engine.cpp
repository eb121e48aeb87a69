// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/engine.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

#include "sdk/core/detect/automata.hpp"
#include "sdk/core/detect/compile_jobs.hpp"
#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/deep_scan.hpp"
#include "sdk/core/detect/english_words.hpp"
#include "sdk/core/detect/hyperscan.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sdk/core/detect/screen.hpp"
#include "sdk/core/detect/trigger.hpp"

namespace aispm::detect {
namespace {

// Rules name built-in detectors by `signal`.
Result<std::array<std::vector<std::uint32_t>, kSignalCount>> find_signal_rules(
    const std::vector<Rule>& rules) {
  std::array<std::vector<std::uint32_t>, kSignalCount> found;
  for (std::uint32_t index = 0; index < rules.size(); ++index) {
    const Rule& rule = rules[index];
    if (rule.signal.empty()) continue;
    const auto signal = parse_signal(rule.signal);
    if (!signal)
      return fail(Errc::kInvalid,
                  rule.where + ": " + rule.id + ": no signal `" + rule.signal + "`");
    found[static_cast<std::size_t>(*signal)].push_back(index);
  }
  return found;
}

// What is looked for in the first pass: the most telling piece of a pattern with long gaps or runs,
// since whole patterns of that kind keep Hyperscan busy over every paragraph and take seconds to
// compile; then matches are tried only near its places.
Result<HsPattern> cheap_pattern(const std::vector<Rule>& rules, std::uint32_t index,
                                const std::string& pattern) {
  const Rule& rule = rules[index];
  if (!rule.triggers.empty())
    return HsPattern{pattern, is_caseless(rule, pattern), piece_id(index)};
  if (is_data(rule.category)) return prefilter_pattern(rules, index, pattern);  // hardly ever match
  AISPM_TRY(const Node node, parse_pattern(pattern, rule.caseless));
  if (auto trigger = derive_trigger(node))
    return HsPattern{std::move(*trigger), false, piece_id(index)};
  return prefilter_pattern(rules, index, pattern);
}

// Rules that are compiled together, and the words that they add to those of earlier groups.
struct Group {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::vector<std::string> words;
};

Result<std::vector<Group>> group_rules(const RuleSet& rules, const Vocabulary& vocabulary) {
  const auto all = static_cast<std::uint32_t>(rules.rules.size());
  const auto shared = static_cast<std::uint32_t>(rules.shared_rules);
  if (shared == 0 || shared >= all) return std::vector<Group>{{0, all, vocabulary.stems()}};
  AISPM_TRY(const Vocabulary first, Vocabulary::of(std::span(rules.rules).first(shared)));
  std::vector<Group> groups{{0, shared, first.stems()}, {shared, all, {}}};
  std::set_difference(vocabulary.stems().begin(), vocabulary.stems().end(), first.stems().begin(),
                      first.stems().end(), std::back_inserter(groups.back().words));
  return groups;
}

// Adds databases of the group's patterns: values (numbers, tokens) and wording apart, since either
// keeps Hyperscan from skipping ahead for the other, and words turned round.
Result<> add_prefilters(const std::vector<Rule>& rules, const Group& group,
                        std::vector<std::vector<HsPattern>>& databases) {
  std::vector<HsPattern> values;
  std::vector<HsPattern> wording;
  for (std::uint32_t index = group.begin; index < group.end; ++index) {
    const Rule& rule = rules[index];
    for (const std::string& pattern : rule.triggers.empty() ? rule.patterns : rule.triggers) {
      AISPM_TRY(HsPattern whole, cheap_pattern(rules, index, pattern));
      (is_data(rule.category) ? values : wording).push_back(std::move(whole));
    }
  }
  for (std::vector<HsPattern>* patterns : {&values, &wording})
    if (!patterns->empty()) databases.push_back(std::move(*patterns));
  add_turned_database(group.words, databases);
  return {};
}

struct Plan {
  CompileJobs jobs;
  std::size_t prefilters = 0;  // databases that come first; the rest is the screen's
};

Result<Plan> plan_jobs(const RuleSet& rules, const Vocabulary& vocabulary) {
  Plan plan;
  plan.jobs.automata = Automata::sources(rules.rules);
  AISPM_TRY(const std::vector<Group> groups, group_rules(rules, vocabulary));
  auto& databases = plan.jobs.databases;
  for (const Group& group : groups) AISPM_CHECK(add_prefilters(rules.rules, group, databases));
  plan.prefilters = databases.size();
  for (const Group& group : groups)
    AISPM_CHECK(Screen::add_databases(rules.rules, group.begin, group.end, group.words, databases));
  return plan;
}

}  // namespace

namespace {

// Short texts that hold no secret, word for word: events say the same models, hosts and tools all
// the time. A newer text takes the place of an older one. At most 24 KB.
class CleanTexts {
 public:
  bool contains(std::string_view text, SurfaceBits surfaces) const {
    const Entry& entry = entries_[place_of(text)];
    return entry.text == text && (surfaces & ~entry.surfaces) == 0;
  }
  void add(std::string_view text, SurfaceBits surfaces) {
    if (text.size() > kMaxBytes) return;
    Entry& entry = entries_[place_of(text)];
    entry.text = text;
    entry.surfaces = surfaces;
  }

 private:
  static constexpr std::size_t kEntries = 128;
  static constexpr std::size_t kMaxBytes = 128;
  struct Entry {
    std::string text;
    SurfaceBits surfaces = kAllSurfaces;  // the empty text holds nothing anywhere
  };
  static std::size_t place_of(std::string_view text) {
    return std::hash<std::string_view>{}(text) % kEntries;
  }
  std::array<Entry, kEntries> entries_;
};

}  // namespace

struct Scratch::State {
  HsScratch hyperscan;
  ScanBuffers buffers;
  Screen::Buffers screen;
  CleanTexts without_secrets;
  std::vector<std::string_view> asked;  // of one question, those that are not among these
};

struct Engine::State {
  RuleSet rules;
  Automata automata;
  Vocabulary vocabulary;
  std::vector<HsDatabase> prefilters;
  Screen screen;
  std::array<std::vector<std::uint32_t>, kSignalCount> signal_rules;
  ScanTables tables;  // of the above
};

Scratch::Scratch(std::unique_ptr<State> state) : state_(std::move(state)) {}
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;
Scratch::~Scratch() = default;

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

const std::vector<Rule>& Engine::rules() const { return state_->rules.rules; }
const std::string& Engine::version() const { return state_->rules.version; }
const std::array<std::array<double, kSurfaceCount>, kCategoryCount>& Engine::thresholds() const {
  return state_->rules.thresholds;
}
const Automata& Engine::automata() const { return state_->automata; }

Result<std::shared_ptr<const Engine>> Engine::compile(RuleSet rules, DatabaseCache* cache) {
  if (rules.rules.empty()) return fail(Errc::kInvalid, "no detection rules");
  auto state = std::make_unique<State>();
  AISPM_TRY(state->signal_rules, find_signal_rules(rules.rules));
  AISPM_TRY(state->vocabulary, Vocabulary::of(rules.rules));
  AISPM_TRY(const Plan plan, plan_jobs(rules, state->vocabulary));
  DatabaseCache none;
  AISPM_TRY(Compiled compiled, (cache != nullptr ? *cache : none).make(rules.rules, plan.jobs));
  AISPM_TRY(state->automata, Automata::make(rules.rules, std::move(compiled.automata)));
  AISPM_TRY(const std::optional<char> separator, Screen::separator(rules.rules));
  std::vector<Screen::Part> screens;
  for (std::size_t i = plan.prefilters; i < compiled.databases.size(); ++i)
    screens.push_back(
        Screen::describe(rules.rules, plan.jobs.databases[i], std::move(compiled.databases[i])));
  state->screen = Screen(std::move(screens), separator);
  compiled.databases.resize(plan.prefilters);
  state->prefilters = std::move(compiled.databases);
  state->rules = std::move(rules);
  state->tables = {&state->rules.rules, &state->automata, state->prefilters, &state->vocabulary,
                   &state->signal_rules};
  // Made now, not in the first scan.
  (void)normalise_code_point(0);
  (void)EnglishWords::get();
  return std::shared_ptr<const Engine>(new Engine(std::move(state)));
}

Result<std::shared_ptr<const Engine>> Engine::open(const std::string& folder,
                                                   DatabaseCache* cache) {
  AISPM_TRY(RuleSet rules, load_packs(folder));
  return compile(std::move(rules), cache);
}

Result<Scratch> Engine::make_scratch() const {
  auto scratch = std::make_unique<Scratch::State>();
  // The same scratch, grown for each database.
  const auto grow = [&](const HsDatabase& database) {
    hs_scratch_t* raw = scratch->hyperscan.release();
    const hs_error_t status = hs_alloc_scratch(database.get(), &raw);
    scratch->hyperscan.reset(raw);
    return status == HS_SUCCESS;
  };
  const auto& screens = state_->screen.parts();
  const auto& prefilters = state_->prefilters;
  if (!std::all_of(prefilters.begin(), prefilters.end(), grow) ||
      !std::all_of(screens.begin(), screens.end(),
                   [&](const Screen::Part& part) { return grow(part.database); }))
    return fail(Errc::kExhausted, "Hyperscan: no memory for scratch");
  for (ScanBuffers::Level& level : scratch->buffers.levels)
    level.fired.has_fired.resize(rules().size());
  return Scratch(std::move(scratch));
}

Result<> Engine::scan(std::string_view text, Surface surface, Scratch& scratch,
                      std::vector<Match>& matches, ScanOptions options) const {
  if (options.reads_plain) matches.clear();
  if (text.size() > kMaxTextBytes)
    return fail(Errc::kTooLarge,
                "text to scan is larger than " + std::to_string(kMaxTextBytes) + " bytes");
  Scratch::State& own = *scratch.state_;
  options.looks_deeper =
      options.looks_deeper && (surface != Surface::kReply || options.replies_too);
  DeepScan scan(state_->tables, surface, options, own.hyperscan.get(), own.buffers, matches);
  return scan.scan(text, kWorkFloor + kWorkPerByte * text.size());
}

Result<bool> Engine::screen(std::span<const std::string_view> texts, SurfaceBits surfaces,
                            bool secrets_only, Scratch& scratch) const {
  std::size_t total = 0;
  for (const std::string_view text : texts) total += text.size() + 1;
  if (total > kMaxTextBytes) return true;  // scan() says whether that is too much
  if (texts.empty()) return false;
  Scratch::State& own = *scratch.state_;
  return state_->screen.may_match(state_->tables, texts,
                                  {.surfaces = surfaces, .secrets_only = secrets_only},
                                  own.hyperscan.get(), own.screen);
}

Result<bool> Engine::may_match(std::span<const std::string_view> texts, SurfaceBits surfaces,
                               Scratch& scratch) const {
  return screen(texts, surfaces, false, scratch);
}

Result<bool> Engine::may_hold_secret(std::span<const std::string_view> texts, SurfaceBits surfaces,
                                     Scratch& scratch) const {
  Scratch::State& own = *scratch.state_;
  own.asked.clear();
  for (const std::string_view text : texts)
    if (!own.without_secrets.contains(text, surfaces)) own.asked.push_back(text);
  AISPM_TRY(const bool may, screen(own.asked, surfaces, true, scratch));
  if (!may)
    for (const std::string_view text : own.asked) own.without_secrets.add(text, surfaces);
  return may;
}

const std::vector<std::uint32_t>& Engine::rules_of(Signal signal) const {
  return state_->signal_rules[static_cast<std::size_t>(signal)];
}

Result<> Engine::verify() const {
  AISPM_TRY(Scratch scratch, make_scratch());
  std::vector<Match> matches;
  for (std::uint32_t index = 0; index < rules().size(); ++index) {
    const Rule& rule = rules()[index];
    // A surface where encodings are looked into, if the rule has one.
    Surface surface = Surface::kReply;
    for (std::size_t i = kSurfaceCount; i-- > 0;)
      if (rule.applies_to(static_cast<Surface>(i)) && static_cast<Surface>(i) != Surface::kReply)
        surface = static_cast<Surface>(i);
    const auto fires = [&](const std::string& text) -> Result<bool> {
      AISPM_CHECK(scan(text, surface, scratch, matches));
      return std::any_of(matches.begin(), matches.end(),
                         [&](const Match& match) { return match.rule == index; });
    };
    for (const std::string& text : rule.hits) {
      AISPM_TRY(const bool fired, fires(text));
      if (!fired)
        return fail(Errc::kInvalid,
                    rule.where + ": " + rule.id + ": does not fire in its hit `" + text + "`");
    }
    for (const std::string& text : rule.misses) {
      AISPM_TRY(const bool fired, fires(text));
      if (fired)
        return fail(Errc::kInvalid,
                    rule.where + ": " + rule.id + ": fires in its miss `" + text + "`");
    }
  }
  return {};
}

}  // namespace aispm::detect
