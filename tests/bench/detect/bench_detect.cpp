// SPDX-License-Identifier: Apache-2.0
// Cost of scanning, streaming and deciding, as JSON lines. The peer in the same run is a plain
// Hyperscan block scan of the same patterns: no borders, normalisation, decoding or validators.
// Rounds of engine and peer alternate; the best of them counts.
#include <hs.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/detect/automata.hpp"
#include "sdk/core/detect/database_cache.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sdk/core/detect/stream.hpp"
#include "sdk/core/policy/policy.hpp"

namespace {

using namespace aispm;
using namespace aispm::detect;
using Clock = std::chrono::steady_clock;

void print(const std::string& name, double value, const char* unit, double target = 0) {
  if (target > 0)
    std::printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"target\":%.6g,\"ok\":%s}\n",
                name.c_str(), value, unit, target, value <= target ? "true" : "false");
  else
    std::printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"target\":null,\"ok\":null}\n",
                name.c_str(), value, unit);
}

// Nanoseconds of one call, over about 20 ms of calls.
double time_once(const std::function<void()>& work) {
  std::size_t calls = 1;
  for (;;) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < calls; ++i) work();
    const double ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    if (ns > 2e7) return ns / static_cast<double>(calls);
    calls *= ns < 2e6 ? 8 : 2;
  }
}

struct Pair {
  double ours = std::numeric_limits<double>::max();
  double peer = std::numeric_limits<double>::max();
};

Pair compare(const std::function<void()>& ours, const std::function<void()>& peer, int rounds = 7) {
  Pair best;
  for (int round = 0; round < rounds; ++round) {
    best.ours = std::min(best.ours, time_once(ours));
    best.peer = std::min(best.peer, time_once(peer));
  }
  return best;
}

// Text as a coding agent sends it: prose, code, JSON schemas, paths.
std::string make_text(std::size_t size) {
  static const char* const kParts[] = {
      "You are working in a repository. Read the files before you change them and run the tests "
      "afterwards.\n",
      "{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\",\"description\":"
      "\"Absolute path of the file\"},\"limit\":{\"type\":\"integer\"}}}\n",
      "def load(path: str, retries: int = 3) -> dict:\n    with open(path) as file:\n        "
      "return json.load(file)\n",
      "The build of 2026-11-20 took 318 seconds; 2 of 1,204 tests failed, see "
      "/home/dev/project/build/results/unit.xml line 42.\n",
      "Use this tool to search the code base. It takes a regular expression and returns matching "
      "lines with their numbers.\n"};
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += kParts[i % 5];
  text.resize(size);
  return text;
}

class PlainHyperscan {
 public:
  explicit PlainHyperscan(const std::vector<Rule>& rules) {
    std::vector<const char*> patterns;
    std::vector<unsigned> flags;
    std::vector<unsigned> ids;
    for (const Rule& rule : rules)
      for (const std::string& pattern : rule.triggers.empty() ? rule.patterns : rule.triggers) {
        patterns.push_back(pattern.c_str());
        flags.push_back(HS_FLAG_SINGLEMATCH | (rule.caseless ? HS_FLAG_CASELESS : 0U));
        ids.push_back(static_cast<unsigned>(ids.size()));
      }
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    hs_compile_multi(patterns.data(), flags.data(), ids.data(), static_cast<unsigned>(ids.size()),
                     HS_MODE_BLOCK, nullptr, &database, &error);
    database_.reset(database);
    if (error != nullptr) {
      std::fprintf(
          stderr, "peer: %s: %.200s\n", error->message,
          error->expression < 0 ? "" : patterns[static_cast<std::size_t>(error->expression)]);
      hs_free_compile_error(error);
    }
    hs_scratch_t* scratch = nullptr;
    if (database != nullptr) hs_alloc_scratch(database, &scratch);
    scratch_.reset(scratch);
  }
  bool usable() const { return scratch_ != nullptr; }
  void scan(std::string_view text) {
    hs_scan(
        database_.get(), text.data(), static_cast<unsigned>(text.size()), 0, scratch_.get(),
        [](unsigned, unsigned long long, unsigned long long, unsigned, void*) { return 0; },
        nullptr);
  }

 private:
  CPtr<hs_database_t, hs_free_database> database_;
  CPtr<hs_scratch_t, hs_free_scratch> scratch_;
};

void bench_block(const Engine& engine, PlainHyperscan& peer) {
  auto scratch = engine.make_scratch();
  if (!scratch) return;
  std::vector<Match> matches;
  struct Size {
    const char* name;
    std::size_t bytes;
    double target;  // nanoseconds, of DESIGN.md section 11: input screen and the 76 KB request
  };
  for (const Size& size :
       {Size{"300B", 300, 30e3}, Size{"4KB", 4096, 1e6}, Size{"76KB", 76'000, 400e3}}) {
    const std::string text = make_text(size.bytes);
    const Pair best = compare([&] { (void)engine.scan(text, Surface::kPrompt, *scratch, matches); },
                              [&] { peer.scan(text); });
    print(std::string("detect.scan.") + size.name, best.ours, "ns", size.target);
    print(std::string("detect.scan.") + size.name + ".plain_hyperscan", best.peer, "ns");
    print(std::string("detect.scan.") + size.name + ".ratio", best.ours / best.peer, "x");
  }
  std::string unicode = make_text(4096);
  for (std::size_t at = 100; at < unicode.size(); at += 200) unicode.insert(at, "\xc3\xa9");
  const Pair best =
      compare([&] { (void)engine.scan(unicode, Surface::kPrompt, *scratch, matches); },
              [&] { peer.scan(unicode); });
  print("detect.scan.4KB_unicode", best.ours, "ns", 1e6);
  const std::string secret =
      make_text(4000) + " id AKIAZQKVCZGQD4LHFV52 and password: t7Rk!92mZq end";
  const Pair hit = compare([&] { (void)engine.scan(secret, Surface::kPrompt, *scratch, matches); },
                           [&] { peer.scan(secret); });
  print("detect.scan.4KB_two_secrets", hit.ours, "ns", 1e6);
}

// p50 and p99 of single calls: every one is timed by itself.
void print_percentiles(const std::string& name, std::size_t calls, double target,
                       const std::function<void()>& work) {
  std::vector<double> times(calls);
  for (int i = 0; i < 3; ++i) work();
  for (double& time : times) {
    const auto start = Clock::now();
    work();
    time = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  }
  std::sort(times.begin(), times.end());
  print(name + ".p50", times[calls / 2], "ns", target);
  print(name + ".p99", times[calls * 99 / 100], "ns");
}

void bench_sizes(const Engine& engine) {
  auto scratch = engine.make_scratch();
  if (!scratch) return;
  std::vector<Match> matches;
  struct Size {
    const char* name;
    std::size_t bytes;
    std::size_t calls;
    double target;
  };
  for (const Size& size : {Size{"100B", 100, 20'000, 30e3}, Size{"1KB", 1024, 10'000, 30e3},
                           Size{"10KB", 10'240, 2'000, 1e6}, Size{"76KB", 76'000, 400, 0},
                           Size{"1MB", 1U << 20, 40, 0}}) {
    const std::string text = make_text(size.bytes);
    print_percentiles(std::string("detect.screen.") + size.name, size.calls, size.target,
                      [&] { (void)engine.scan(text, Surface::kToolResult, *scratch, matches); });
    print_percentiles(std::string("detect.plain.") + size.name, size.calls, 0, [&] {
      (void)engine.scan(text, Surface::kToolResult, *scratch, matches, {.looks_deeper = false});
    });
    const std::string_view texts[] = {text};
    print_percentiles(std::string("detect.may_match.") + size.name, size.calls, 0,
                      [&] { (void)engine.may_match(texts, kAllSurfaces, *scratch); });
  }
}

// Texts made to be slow: cost per megabyte, whether refused or not.
void bench_hostile(const Engine& engine) {
  auto scratch = engine.make_scratch();
  if (!scratch) return;
  std::vector<Match> matches;
  struct Text {
    const char* name;
    const char* unit;
  };
  for (const Text& hostile :
       {Text{"base64", "SWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM= "},
        Text{"percent", "%25%32%35"}, Text{"spelled", "i g n o r e "}, Text{"breaks", "a-"},
        Text{"turned", "vtaber erongi "}, Text{"invalid_utf8", "\xff\xfe\xc3"},
        Text{"zero_width", "\xe2\x80\x8b"}, Text{"digits", "a 1 1 1 "},
        Text{"keys", "password: t7Rk!92mZq\n"}}) {
    std::string text;
    while (text.size() < (1U << 20)) text += hostile.unit;
    const auto scan = [&](std::string_view part) {
      (void)engine.scan(part, Surface::kToolResult, *scratch, matches);
    };
    const std::string name = std::string("detect.hostile.") + hostile.name;
    print_percentiles(name, 4, 0, [&] { scan(text); });
    // Of the same text twice as long: 2 is linear, 4 would be quadratic.
    const Pair pair = compare([&] { scan(text); },
                              [&] { scan(std::string_view(text).substr(0, text.size() / 2)); }, 2);
    print(name + ".twice_as_long", pair.ours / pair.peer, "x", 3);
  }
}

void bench_stream(const std::shared_ptr<const Engine>& engine) {
  auto outcomes = std::make_shared<Outcomes>();
  for (const Rule& rule : engine->rules())
    outcomes->push_back(rule.category == Category::kPromptInjection ? model::Outcome::kAllow
                                                                    : model::Outcome::kRedact);
  const std::string text = make_text(20'000);
  constexpr std::size_t kDelta = 5;
  double best = std::numeric_limits<double>::max();
  double held = 0;
  std::size_t memory = 0;
  for (int round = 0; round < 9; ++round) {
    StreamScanner scanner(engine, Surface::kReply, outcomes);
    std::string released;
    released.reserve(text.size() + 64);
    std::size_t steps = 0;
    std::size_t sum = 0;
    const auto start = Clock::now();
    for (std::size_t at = 0; at < text.size(); at += kDelta, ++steps) {
      if (!scanner.feed(std::string_view(text).substr(at, kDelta), released)) return;
      sum += scanner.held_bytes();
    }
    const double ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    best = std::min(best, ns / static_cast<double>(steps));
    held = static_cast<double>(sum) / static_cast<double>(steps);
    memory = std::max(memory, scanner.memory_bytes());
  }
  print("detect.stream.per_5B_delta", best, "ns", 3000);
  print("detect.stream.mean_held", held, "bytes", 8);
  print("detect.stream.memory", static_cast<double>(memory), "bytes", 4096);
  const double open = time_once([&] { StreamScanner scanner(engine, Surface::kReply, outcomes); });
  print("detect.stream.open", open, "ns");
}

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Start-up from packs on disk, with an empty cache and with a full one.
void bench_start(const std::string& packs) {
  std::string folder = (std::filesystem::temp_directory_path() / "aispm-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return;
  const auto read = processor_seconds();
  if (!load_packs(packs)) return;
  print("detect.start.read_packs.cpu", processor_seconds() - read, "s");
  for (const std::string name : {"detect.start.cold", "detect.start.warm"}) {
    auto cache = DatabaseCache::open(folder);
    if (!cache) break;
    const auto start = Clock::now();
    const double before = processor_seconds();
    if (!Engine::open(packs, &*cache)) break;
    print(name + ".cpu", processor_seconds() - before, "s", name.ends_with("warm") ? 0.3 : 0);
    print(name, std::chrono::duration<double>(Clock::now() - start).count(), "s");
  }
  std::error_code error;
  std::size_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    bytes += entry.file_size(error);
  print("detect.start.cache", static_cast<double>(bytes), "bytes");
  std::filesystem::remove_all(folder, error);
}

void bench_policy(std::size_t rules) {
  std::string text = "rules:\n";
  static const char* const kKinds[] = {"agent: 'team/agent-", "rule_id: 'secret.rule_",
                                       "model: 'model-", "rule_id: '*.kind_"};
  for (std::size_t i = 0; i < rules; ++i)
    text += "  - {id: r" + std::to_string(i) + ", outcome: deny, match: {" +
            kKinds[i % (rules > 100 ? 3 : 4)] + std::to_string(i) + "'}}\n";
  text += "  - {id: last, outcome: redact, match: {category: secret}}\n";
  const auto policy = policy::Policy::parse(text, "bench.yaml");
  if (!policy) return;
  const policy::Context context{"alice/agent.py", "openai", "gpt-4o"};
  const policy::Fact fact{"secret.github_token", "secret", model::Severity::kHigh, 0.9, "prompt"};
  model::Outcome applied = model::Outcome::kAllow;
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < 5; ++round)
    best = std::min(
        best, time_once([&] {
          (void)(*policy)->decide(context, policy::Direction::kRequest, {&fact, 1}, {&applied, 1});
        }));
  print("policy.decide." + std::to_string(rules) + "_rules", best, "ns", 1000);
}

}  // namespace

int main(int argc, char** argv) {
  const bool only_sizes = argc > 1 && std::string_view(argv[1]) == "--sizes";
  const std::string packs = std::string(AISPM_SOURCE_DIR) + "/policies/detect";
  bench_start(packs);
  if (argc > 1 && std::string_view(argv[1]) == "--start") return 0;
  const auto engine = Engine::open(packs);
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.error().message.c_str());
    return 1;
  }
  print("detect.automata", static_cast<double>((*engine)->automata().memory_bytes()), "bytes");
  bench_sizes(**engine);
  if (only_sizes) return 0;
  PlainHyperscan peer((*engine)->rules());
  if (!peer.usable()) return 1;
  bench_hostile(**engine);
  bench_block(**engine, peer);
  bench_stream(*engine);
  bench_policy(20);
  bench_policy(1000);
  return 0;
}
