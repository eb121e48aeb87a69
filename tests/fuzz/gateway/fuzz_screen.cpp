// SPDX-License-Identifier: Apache-2.0
// Any body to the screening API: an error, or texts within the limits, each of which gets one JSON
// object as its answer, without the text in it. The first byte chooses single or batch.
#include <boost/json/parse.hpp>
#include <cstdint>
#include <cstdlib>

#include "gateway/proxy/pipeline/screen.hpp"
#include "sdk/core/detect/pack.hpp"

namespace {

using namespace aispm;
using namespace aispm::gateway;

void require(bool claim) {
  if (!claim) std::abort();
}

constexpr char kRules[] = R"(
pack: fuzz
category: secret
rules:
  - {id: secret.a, patterns: ['ab[0-9]{2,4}'], not_after: '\w', message: m, hits: [h], misses: [m]}
  - {id: custom.b, category: custom, label: c, confidence: 0.4, patterns: ['k=[a-z0-9]{3,}'], message: m, hits: [h], misses: [m]}
)";
constexpr char kPolicy[] =
    "defaults: {mode: enforce, store_text: false, fail: closed}\nrules:\n"
    "  - {id: all, match: {category: secret}, outcome: redact, reason: r}\n";

ScanContext make_context() {
  auto rules = detect::parse_rules(kRules, "fuzz.yaml");
  require(rules.has_value());
  auto engine = detect::Engine::compile(std::move(*rules));
  require(engine.has_value());
  auto policy = policy::Policy::parse(kPolicy, "policy.yaml");
  require(policy.has_value());
  auto book = std::make_shared<RuleBook>();
  book->engine = *engine;
  book->policy = *policy;
  ScanContext context;
  context.caller = {.agent = "a", .provider = {}, .model = {}};
  context.tables = book->make_tables(context.caller);
  context.bench =
      std::make_shared<Workbench>(Workbench{std::move(*(*engine)->make_scratch()), {}, {}});
  context.book = std::move(book);
  return context;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScanContext context = make_context();
  if (size < 1 || size > 4096) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto items = read_screen(body, data[0] % 2 == 1);
  if (!items) return 0;
  require(items->size() <= kMaxScreenBatch);
  for (const ScreenText& item : *items) {
    const std::string answer = describe_screened(context, item, screen_text(context, item), {},
                                                 std::chrono::steady_clock::now());
    const boost::json::value read = boost::json::parse(answer);
    const std::string_view verdict(read.at("verdict").as_string());
    require(verdict == "allow" || verdict == "flag" || verdict == "block");
    const double score = read.at("score").to_number<double>();
    require(score >= 0 && score <= 1);
    for (const auto& detection : read.at("detections").as_array())
      require(detection.at("offset").to_number<std::uint64_t>() +
                  detection.at("length").to_number<std::uint64_t>() <=
              item.text.size());
  }
  return 0;
}
