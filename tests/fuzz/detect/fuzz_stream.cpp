// SPDX-License-Identifier: Apache-2.0
// Any text in any pieces: what is released must always be the beginning of the redacted whole text,
// and at the end all of it. The first byte chooses the sizes of the pieces.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sdk/core/detect/pack.hpp"
#include "sdk/core/detect/stream.hpp"

namespace {

using namespace aispm::detect;

void require(bool claim, const char* what) {
  if (claim) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// Small forms of what the shipped packs hold, so that random bytes find their way in.
constexpr const char* kRules = R"(
pack: fuzz
category: secret
rules:
  - {id: secret.a, patterns: ['ab[0-9]{2,4}', 'a[bc]+d'], not_after: '\w', message: m, hits: [h], misses: [m]}
  - {id: secret.b, patterns: ['k=[a-z0-9]{3,}'], keep: 'k=', not_before: '[A-Z]', validators: [mixed], message: m, hits: [h], misses: [m]}
  - {id: secret.c, patterns: ['[0-9](?:[ -]?[0-9]){11,18}'], not_after: '[0-9]', not_before: '[0-9]', validators: [luhn], message: m, hits: [h], misses: [m]}
  - {id: secret.d, patterns: ['--[a-z]+(?:\s+[a-z]{2,})*--'], max_bytes: 24, message: m, hits: [h], misses: [m]}
  - {id: secret.f, patterns: ['id[0-9]{2}'], context: {words: [pass], without: [no], within: 9}, message: m, hits: [h], misses: [m]}
  - {id: secret.g, signal: invisible, message: m, hits: [h], misses: [m]}
  - {id: secret.h, signal: mixed_script, message: m, hits: [h], misses: [m]}
  - {id: secret.i, signal: tag_characters, message: m, hits: [h], misses: [m]}
  - {id: secret.j, patterns: ['z[a-z]+'], allow: ['z[a-m]+'], message: m, hits: [h], misses: [m]}
  - {id: secret.e, patterns: ['(?:\xe2\x80\x8b){2,}'], message: m, hits: [h], misses: [m]}
)";

std::shared_ptr<const Engine> make_engine() {
  auto rules = parse_rules(kRules, "fuzz.yaml");
  require(rules.has_value(), "rules");
  auto engine = Engine::compile(std::move(*rules));
  require(engine.has_value(), "engine");
  return *engine;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::shared_ptr<const Engine> engine = make_engine();
  static Scratch scratch = std::move(*engine->make_scratch());
  static const auto outcomes =
      std::make_shared<Outcomes>(engine->rules().size(), aispm::model::Outcome::kRedact);
  if (size < 1 || size > 4096) return 0;
  std::uint32_t state = data[0] | 0x100U;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  std::vector<Match> matches;
  if (!engine->scan(text, Surface::kReply, scratch, matches)) return 0;
  std::string expected;
  redact(engine->rules(), text, matches, *outcomes, expected);

  StreamScanner scanner(engine, Surface::kReply, outcomes);
  std::string released;
  for (std::size_t at = 0; at < text.size();) {
    state = state * 1664525U + 1013904223U;
    const std::size_t piece = 1 + (state >> 24) % 7;
    if (!scanner.feed(text.substr(at, piece), released)) return 0;  // failed closed
    require(expected.compare(0, released.size(), released) == 0,
            "released what the whole text would not show");
    at += piece;
  }
  if (!scanner.finish(released)) return 0;
  require(released == expected, "stream and block differ");
  require(scanner.held_bytes() == 0, "something is still held");
  return 0;
}
