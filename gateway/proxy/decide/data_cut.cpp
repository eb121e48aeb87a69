// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/data_cut.hpp"

#include "sdk/core/detect/inspect.hpp"
#include "sdk/core/detect/redact.hpp"

namespace aispm::gateway {
namespace {

constexpr std::string_view kAddress = "EMAIL";  // entity of rules that find mail addresses

// Only what is data; all of it, whatever policy says about it elsewhere.
Result<std::vector<detect::Match>> find_data(const ScanContext& context, std::string_view text,
                                             detect::Surface surface) {
  std::vector<detect::Match> matches;
  const detect::Engine& engine = *context.book->engine;
  AISPM_CHECK(engine.scan(text, surface, context.bench->scratch, matches));
  detect::drop_weak(engine, surface, matches, context.bench->fused.sums);
  std::erase_if(matches, [&](const detect::Match& match) {
    return !detect::is_data(engine.rules()[match.rule].category);
  });
  return matches;
}

}  // namespace

std::vector<std::string> DataClasses::labels() const {
  std::vector<std::string> labels;
  if (has_pci) labels.emplace_back("PCI");
  if (has_pii) labels.emplace_back("PII");
  if (has_secret) labels.emplace_back("SECRET");
  return labels;
}

Result<DataClasses> classes_of(const ScanContext& context, std::string_view text,
                               detect::Surface surface) {
  DataClasses classes;
  AISPM_TRY(const std::vector<detect::Match> matches, find_data(context, text, surface));
  for (const detect::Match& match : matches) {
    const detect::Rule& rule = context.book->engine->rules()[match.rule];
    classes.has_secret = classes.has_secret || rule.category == detect::Category::kSecret;
    classes.has_pii = classes.has_pii || rule.category == detect::Category::kPii;
    classes.has_pci = classes.has_pci || rule.entity == "CREDIT_CARD";
    if (rule.category != detect::Category::kPii) continue;
    const bool is_address =
        rule.entity == kAddress && !match.encoded && match.trick == detect::Trick::kNone;
    if (is_address)
      classes.addresses.emplace_back(text.substr(match.offset, match.length));
    else
      classes.has_other_pii = true;
  }
  return classes;
}

Result<std::size_t> cut_data(const ScanContext& context, std::string_view text,
                             detect::Surface surface, std::string& out) {
  AISPM_TRY(const std::vector<detect::Match> matches, find_data(context, text, surface));
  if (matches.empty()) {
    out += text;
    return std::size_t{0};
  }
  const auto& rules = context.book->engine->rules();
  const detect::Outcomes all(rules.size(), model::Outcome::kRedact);
  const std::size_t begin = out.size();
  const std::size_t count = detect::redact(rules, text, matches, all, out);
  AISPM_TRY(const std::vector<detect::Match> left,
            find_data(context, std::string_view(out).substr(begin), surface));
  if (!left.empty()) return fail(Errc::kDenied, "data in it cannot be cut out in place");
  return count;
}

}  // namespace aispm::gateway
