// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/rule.hpp"
#include "sdk/core/detect/signal.hpp"

// One verdict everywhere: sensor, gateway, sandbox and SDK scan with this engine.
//
//   AISPM_TRY(const std::shared_ptr<const Engine> engine, Engine::open("policies/detect"));
//   AISPM_TRY(Scratch scratch, engine->make_scratch());             // one per thread
//   AISPM_CHECK(engine->scan(text, Surface::kPrompt, scratch, matches));
//   redact(*engine, text, matches, outcomes, out);                  // redact.hpp
//
// How it works: one Hyperscan pass says which rules fire at all (usually none); only for those a
// small automaton (pattern.hpp) finds exact spans, boundaries and validators. Text with bytes
// beyond ASCII is scanned a second time in a normalised form (normalise.hpp). What escapes, broken
// words and encodings hide is scanned too (deep_scan.hpp), but only where cheap signs say that
// there is something.
namespace aispm::detect {

class Automata;
class DatabaseCache;

struct ScanReport {
  bool cut = false;  // the deadline came before all disguises were looked through
};

// Is given every view that looking deeper makes of a text: what an encoding holds, the text with
// its broken words mended, read backwards, ... Not the text itself.
class ViewReader {
 public:
  // Bytes of the scanned text.
  struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // Where bytes [begin, end) of a view, not empty, come from. Lives as long as the call it is given
  // to.
  class Origin {
   public:
    virtual ~Origin() = default;
    virtual Span of(std::size_t begin, std::size_t end) const = 0;
  };

  virtual ~ViewReader() = default;
  // `trick` is the outermost disguise. `view` is not empty and gone after the call.
  virtual void read(std::string_view view, Trick trick, const Origin& origin) = 0;
};

struct ScanOptions {
  bool reads_plain = true;   // the text and its normalised form; replaces `matches`, else adds
  bool looks_deeper = true;  // into encodings and disguises
  bool replies_too = false;  // also in replies (streams: stream_runs.hpp)
  // may_match() said no: rules are not asked, of the disguises neither; `views` reads on.
  bool nothing_matches = false;
  // Looking deeper ends then; the plain text is always scanned to its end.
  std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt;
  std::chrono::steady_clock::time_point (*now)() = &std::chrono::steady_clock::now;
  ScanReport* report = nullptr;
  ViewReader* views = nullptr;  // null: nobody else wants to read them
};

// Working memory of one scanning thread. Movable, not copyable; never shared between threads at the
// same time.
class Scratch {
 public:
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;
  ~Scratch();

 private:
  friend class Engine;
  struct State;
  explicit Scratch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Compiled rules: immutable, so any number of threads may scan with one engine at the same time.
class Engine {
 public:
  // Longer texts are refused (kTooLarge) so that the caller fails closed; the gateway's own body
  // limit is below it.
  static constexpr std::size_t kMaxTextBytes = 64U << 20;
  // Automaton steps allowed per scan besides `kWorkPerByte` per byte of text; beyond it the scan
  // fails (kExhausted): a text made to be slow.
  static constexpr std::size_t kWorkFloor = 4U << 20;
  static constexpr std::size_t kWorkPerByte = 256;

  // Errors name file and line of the rule that does not compile. Takes about a second for 150
  // rules, and much less with a cache that holds their databases (database_cache.hpp).
  static Result<std::shared_ptr<const Engine>> compile(RuleSet rules,
                                                       DatabaseCache* cache = nullptr);
  // load_packs + compile.
  static Result<std::shared_ptr<const Engine>> open(const std::string& folder,
                                                    DatabaseCache* cache = nullptr);

  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::vector<Rule>& rules() const;
  const std::string& version() const;
  // RuleSet::thresholds
  const std::array<std::array<double, kSurfaceCount>, kCategoryCount>& thresholds() const;

  Result<Scratch> make_scratch() const;

  // Replaces `matches` by all matches in `text` of rules that apply to `surface`, sorted by offset,
  // then rule. Matches of one rule never overlap each other
  // (overlapping ones are joined); those of different rules may, and `redact` joins them. `text` is
  // decoded text (JSON escapes already resolved), any bytes. Encodings and disguises are looked
  // through, up to kMaxDepth of them, except on replies, where a stream could not do the same. No
  // allocation once scratch and `matches` have grown. Errors: kTooLarge, kExhausted, kInternal; the
  // caller must then treat the text as denied.
  Result<> scan(std::string_view text, Surface surface, Scratch& scratch,
                std::vector<Match>& matches, ScanOptions options = {}) const;

  // One pass over many texts, much cheaper than scan(): false means that scan() would find nothing
  // in any of them, whichever of `surfaces` (surface_bit()s) each stands on. True says nothing.
  // kInternal: treat the texts as denied.
  Result<bool> may_match(std::span<const std::string_view> texts, SurfaceBits surfaces,
                         Scratch& scratch) const;
  // The same of rules of category secret alone.
  Result<bool> may_hold_secret(std::span<const std::string_view> texts, SurfaceBits surfaces,
                               Scratch& scratch) const;

  // Runs every rule's hits and misses; fails with file:line of the first rule that does not do what
  // its examples say.
  Result<> verify() const;

  // The exact matchers and the rules of a built-in detector; used by StreamScanner.
  const Automata& automata() const;
  const std::vector<std::uint32_t>& rules_of(Signal signal) const;

 private:
  struct State;
  Result<bool> screen(std::span<const std::string_view> texts, SurfaceBits surfaces,
                      bool secrets_only, Scratch& scratch) const;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The event record of a match, graded for the surface; `evidence` is masked already.
model::Detection describe_evidence(const Rule& rule, const Match& match, std::string evidence,
                                   Surface surface);
// The same with evidence cut from `text`, what was scanned, and masked by the rule's own style.
model::Detection describe(const Rule& rule, const Match& match, std::string_view text,
                          Surface surface);

}  // namespace aispm::detect
