// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/engine.hpp"

#include <algorithm>
#include <tuple>

#include "sdk/core/detect/automata.hpp"
#include "sdk/core/detect/encoded.hpp"
#include "sdk/core/detect/hyperscan.hpp"
#include "sdk/core/detect/normalise.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sdk/core/detect/screen.hpp"

namespace aispm::detect {
namespace {

Result<HsDatabase> compile_prefilter(const std::vector<Rule>& rules) {
  std::vector<HsPattern> patterns;
  for (std::uint32_t index = 0; index < rules.size(); ++index) {
    const Rule& rule = rules[index];
    for (const std::string& pattern : rule.triggers.empty() ? rule.patterns : rule.triggers) {
      AISPM_TRY(HsPattern whole, prefilter_pattern(rules, index, pattern));
      patterns.push_back(std::move(whole));
    }
  }
  return compile_block(rules, patterns);
}

}  // namespace

struct Scratch::State {
  HsScratch hyperscan;
  std::vector<std::uint32_t> fired;     // rules of the pass at hand
  std::vector<std::uint8_t> has_fired;  // by rule
  Shadow shadow;                        // of the whole text
  Shadow resolving;                     // of one match
  std::string decoded;                  // of one encoded run
  std::size_t work_left = 0;            // automaton steps
  Screen::Buffers screen;
};

struct Engine::State {
  RuleSet rules;
  Automata automata;
  HsDatabase prefilter;
  Screen screen;
};

Scratch::Scratch(std::unique_ptr<State> state) : state_(std::move(state)) {}
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;
Scratch::~Scratch() = default;

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

const std::vector<Rule>& Engine::rules() const { return state_->rules.rules; }
const std::string& Engine::version() const { return state_->rules.version; }
const Automata& Engine::automata() const { return state_->automata; }

Result<std::shared_ptr<const Engine>> Engine::compile(RuleSet rules) {
  if (rules.rules.empty()) return fail(Errc::kInvalid, "no detection rules");
  auto state = std::make_unique<State>();
  AISPM_TRY(state->automata, Automata::compile(rules.rules));
  AISPM_TRY(state->prefilter, compile_prefilter(rules.rules));
  AISPM_TRY(state->screen, Screen::compile(rules.rules));
  state->rules = std::move(rules);
  (void)normalise_code_point(0);  // makes the table now, not in the first scan
  return std::shared_ptr<const Engine>(new Engine(std::move(state)));
}

Result<std::shared_ptr<const Engine>> Engine::open(const std::string& folder) {
  AISPM_TRY(RuleSet rules, load_packs(folder));
  return compile(std::move(rules));
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
  const auto& screens = state_->screen.databases();
  if (!grow(state_->prefilter) || !std::all_of(screens.begin(), screens.end(), grow))
    return fail(Errc::kExhausted, "Hyperscan: no memory for scratch");
  scratch->has_fired.resize(rules().size());
  return Scratch(std::move(scratch));
}

namespace {

// One scan. Lives on the stack of Engine::scan.
class BlockScan {
 public:
  BlockScan(const std::vector<Rule>& rules, const Automata& automata,
            const hs_database_t* prefilter, Surface surface, std::size_t& work_left,
            Shadow& resolving, std::vector<Match>& matches)
      : rules_(rules),
        automata_(automata),
        prefilter_(prefilter),
        surface_(surface),
        work_left_(work_left),
        resolving_(resolving),
        matches_(matches) {}

  // Which rules of the surface fire in `text`; false when Hyperscan fails.
  bool prefilter(std::string_view text, hs_scratch_t* scratch, std::vector<std::uint32_t>& fired,
                 std::vector<std::uint8_t>& has_fired) const {
    fired.clear();
    Firing firing{&rules_, surface_, &fired, &has_fired};
    const hs_error_t status = hs_scan(prefilter_, text.data(), static_cast<unsigned>(text.size()),
                                      0, scratch, on_match, &firing);
    for (const std::uint32_t rule : fired) has_fired[rule] = 0;
    return status == HS_SUCCESS;
  }

  // Adds the matches of one rule. `origin` is empty for raw text. False when the work allowed is
  // used up.
  bool run(std::uint32_t index, std::string_view original, std::string_view text,
           const std::vector<Shadow::Origin>* origin) {
    const RuleAutomaton& automaton = automata_.of(index);
    const ByteSet& first = automaton.dfa.first_bytes();
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (!first.test(static_cast<std::uint8_t>(text[at]))) continue;
      if (at > 0 && automaton.not_after.test(static_cast<std::uint8_t>(text[at - 1]))) continue;
      const std::size_t end = attempt(automaton, text, at, origin);
      if (end > 0 && !add(index, original, at, end, origin)) return false;
      if (work_left_ == 0) return false;
    }
    return true;
  }

 private:
  struct Firing {
    const std::vector<Rule>* rules;
    Surface surface;
    std::vector<std::uint32_t>* fired;
    std::vector<std::uint8_t>* has_fired;
  };

  static int on_match(unsigned id, unsigned long long, unsigned long long, unsigned,
                      void* context) {
    auto& firing = *static_cast<Firing*>(context);
    if ((*firing.has_fired)[id] != 0 || !(*firing.rules)[id].applies_to(firing.surface)) return 0;
    (*firing.has_fired)[id] = 1;
    firing.fired->push_back(id);
    return 0;
  }

  // The end of the longest match that starts at `at`; 0 = none. Same steps as StreamScanner's.
  std::size_t attempt(const RuleAutomaton& automaton, std::string_view text, std::size_t at,
                      const std::vector<Shadow::Origin>* origin) {
    const std::uint64_t begin = origin != nullptr ? (*origin)[at].begin : at;
    Dfa::State state = Dfa::kStart;
    std::size_t accepted = 0;
    std::size_t i = at;
    for (; i < text.size(); ++i) {
      const auto byte = static_cast<std::uint8_t>(text[i]);
      if (automaton.dfa.accepts(state) && !automaton.not_before.test(byte)) accepted = i;
      state = automaton.dfa.next(state, byte);
      if (state == Dfa::kDead) break;
      if (automaton.dfa.accepts(state)) {
        if (!automaton.has_not_before && automaton.dfa.is_final(state)) {
          accepted = i + 1;
          break;
        }
      } else if (accepted == 0) {
        const std::uint64_t end = origin != nullptr ? (*origin)[i].end : i + 1;
        if (end - begin >= automaton.max_bytes) break;
      }
    }
    if (i == text.size() && automaton.dfa.accepts(state)) accepted = i;
    work_left_ -= std::min(work_left_, i - at + 1);
    return accepted;
  }

  bool add(std::uint32_t index, std::string_view original, std::size_t at, std::size_t end,
           const std::vector<Shadow::Origin>* origin) {
    const bool is_shadow = origin != nullptr;
    const std::size_t from = is_shadow ? (*origin)[at].begin : at;
    const std::size_t to = is_shadow ? (*origin)[end - 1].end : end;
    work_left_ -= std::min(work_left_, to - from);
    const auto span = automata_.resolve(rules_[index], index, original.substr(from, to - from),
                                        is_shadow ? View::kShadow : View::kRaw, resolving_);
    if (span)
      matches_.push_back(
          {index, from + span->begin, span->end - span->begin, span->validated, false});
    return work_left_ > 0;
  }

  const std::vector<Rule>& rules_;
  const Automata& automata_;
  const hs_database_t* prefilter_;
  Surface surface_;
  std::size_t& work_left_;
  Shadow& resolving_;
  std::vector<Match>& matches_;
};

// Joins overlapping matches of one rule and sorts by offset, then rule.
void join_matches(std::vector<Match>& matches) {
  if (matches.size() < 2) return;
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return std::tie(a.rule, a.offset) < std::tie(b.rule, b.offset);
  });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < matches.size(); ++i) {
    Match& last = matches[kept];
    const Match& match = matches[i];
    if (match.rule != last.rule || match.offset >= last.offset + last.length) {
      matches[++kept] = match;
      continue;
    }
    last.length = std::max(last.offset + last.length, match.offset + match.length) - last.offset;
    last.validated = last.validated || match.validated;
    last.encoded = last.encoded && match.encoded;
  }
  matches.resize(kept + 1);
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return std::tie(a.offset, a.rule) < std::tie(b.offset, b.rule);
  });
}

}  // namespace

Result<> Engine::scan(std::string_view text, Surface surface, Scratch& scratch,
                      std::vector<Match>& matches) const {
  matches.clear();
  if (text.size() > kMaxTextBytes)
    return fail(Errc::kTooLarge,
                "text to scan is larger than " + std::to_string(kMaxTextBytes) + " bytes");
  Scratch::State& own = *scratch.state_;
  own.work_left = kWorkFloor + kWorkPerByte * text.size();
  BlockScan block(rules(), automata(), state_->prefilter.get(), surface, own.work_left,
                  own.resolving, matches);
  const auto failed = [] { return fail(Errc::kInternal, "Hyperscan: scan failed"); };
  const auto exhausted = [] { return fail(Errc::kExhausted, "text takes too long to scan"); };

  if (!block.prefilter(text, own.hyperscan.get(), own.fired, own.has_fired)) return failed();
  for (const std::uint32_t rule : own.fired)
    if (!block.run(rule, text, text, nullptr)) return exhausted();

  if (!is_ascii(text)) {
    normalise(text, own.shadow);
    if (!block.prefilter(own.shadow.text, own.hyperscan.get(), own.fired, own.has_fired))
      return failed();
    for (const std::uint32_t rule : own.fired)
      if (!block.run(rule, text, own.shadow.text, &own.shadow.origin)) return exhausted();
  }

  if (surface != Surface::kReply) {
    for (auto run = find_encoded_run(text, 0); run;
         run = find_encoded_run(text, run->offset + run->length)) {
      if (!decode_run(text.substr(run->offset, run->length), own.decoded)) continue;
      if (!block.prefilter(own.decoded, own.hyperscan.get(), own.fired, own.has_fired))
        return failed();
      for (const std::uint32_t rule : own.fired) {
        if (rules()[rule].category == Category::kPii) continue;
        const std::size_t before = matches.size();
        if (!block.run(rule, own.decoded, own.decoded, nullptr)) return exhausted();
        if (matches.size() == before) continue;
        const bool validated = matches[before].validated;
        matches.resize(before);
        matches.push_back({rule, run->offset, run->length, validated, true});
      }
    }
  }
  join_matches(matches);
  return {};
}

Result<bool> Engine::may_match(std::span<const std::string_view> texts, SurfaceBits surfaces,
                               Scratch& scratch) const {
  std::size_t total = 0;
  for (const std::string_view text : texts) total += text.size() + 1;
  if (total > kMaxTextBytes) return true;  // scan() says whether that is too much
  if (texts.empty()) return false;
  const bool encoded = (surfaces & ~surface_bit(Surface::kReply)) != 0;
  Scratch::State& own = *scratch.state_;
  return state_->screen.may_match(rules(), texts, surfaces, encoded, own.hyperscan.get(),
                                  own.screen);
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
