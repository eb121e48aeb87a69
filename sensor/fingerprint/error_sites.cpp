// SPDX-License-Identifier: Apache-2.0
#include "sensor/fingerprint/error_sites.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "sensor/fingerprint/instructions.hpp"

namespace aispm::sensor::fingerprint {
namespace {

constexpr std::size_t kMaxStepInstructions = 24;
constexpr std::size_t kMaxJumps = 4;
constexpr std::size_t kCodeBytes = 160;

// The constants that registers hold on the one way from a reference to a call.
class Constants {
 public:
  // False when the way ends at `instruction`.
  bool step(const Instruction& instruction) {
    switch (instruction.kind) {
      case Instruction::Kind::kReturn:
      case Instruction::Kind::kTrap:
        return false;
      case Instruction::Kind::kPush:
        pushed_.push_back(instruction.value);
        return true;
      case Instruction::Kind::kPop:
        values_[instruction.reg & 15U] = std::nullopt;
        if (!pushed_.empty()) {
          values_[instruction.reg & 15U] = pushed_.back();
          pushed_.pop_back();
        }
        return true;
      default:
        break;
    }
    const std::optional<std::uint64_t> copied = values_[instruction.source & 15U];
    for (std::size_t i = 0; i < values_.size(); ++i)
      if ((instruction.writes >> i & 1U) != 0) values_[i] = std::nullopt;
    if (instruction.kind == Instruction::Kind::kConstant)
      values_[instruction.reg & 15U] = instruction.value;
    if (instruction.kind == Instruction::Kind::kCopy) values_[instruction.reg & 15U] = copied;
    return true;
  }

  std::optional<ErrorSite> as_site(const Reference& reference, const ErrorPack& pack) const {
    for (const ErrorCall& call : pack.calls) {
      const auto& library = values_[call.library];
      const auto& reason = values_[call.reason];
      const auto& file = values_[call.file];
      const auto& line = values_[call.line];
      if (!library || !reason || !file || !line) continue;
      if (*library == pack.error_library && *file == reference.target && *reason <= 0xffff &&
          *line <= 0xfffff)
        return ErrorSite{reference.address, static_cast<std::uint32_t>(*reason),
                         static_cast<std::uint32_t>(*line), std::nullopt};
    }
    return std::nullopt;
  }

 private:
  std::array<std::optional<std::uint64_t>, 16> values_;
  std::vector<std::optional<std::uint64_t>> pushed_;
};

// What the straight way to the reference sets: the instructions after the last one that goes
// elsewhere.
Constants constants_before(const ElfView& elf, const Reference& reference,
                           std::optional<std::uint64_t> function) {
  Constants constants;
  if (!function || *function >= reference.address) return constants;
  const std::vector<std::uint8_t> code = elf.read(*function, reference.address - *function);
  const std::uint64_t end =
      walk_instructions(code, *function, [&](std::uint64_t, const Instruction& one) {
        if (one.kind == Instruction::Kind::kCall || one.kind == Instruction::Kind::kJump ||
            !constants.step(one))
          constants = Constants();
        return true;
      });
  return end == reference.address ? constants : Constants();
}

bool fits(const ErrorRule& rule, const ErrorSite& site, std::int64_t base_line) {
  const std::int64_t delta = std::int64_t{site.line} - base_line;
  return site.reason == rule.reason && delta >= rule.line_from && delta <= rule.line_to;
}

// Whether the function's sites, all of them, fit the rule when its first error stands at `base`.
bool fits_function(const FunctionRule& rule, const std::vector<const ErrorSite*>& sites,
                   std::int64_t base_line) {
  for (std::size_t i = 1; i < rule.errors.size(); ++i)
    if (std::none_of(sites.begin(), sites.end(),
                     [&](const ErrorSite* site) { return fits(rule.errors[i], *site, base_line); }))
      return false;
  if (!rule.only_these) return true;
  return std::all_of(sites.begin(), sites.end(), [&](const ErrorSite* site) {
    return (site->reason == rule.errors[0].reason && site->line == base_line) ||
           std::any_of(rule.errors.begin() + 1, rule.errors.end(),
                       [&](const ErrorRule& one) { return fits(one, *site, base_line); });
  });
}

struct Match {
  std::uint64_t function;
  std::int64_t line;
};

class Matcher {
 public:
  explicit Matcher(const std::vector<ErrorSite>& sites) {
    for (const ErrorSite& site : sites)
      if (site.function)
        by_function_[*site.function].push_back(&site);
      else
        homeless_.push_back(&site);
  }

  FoundFunction match(const FunctionRule& rule) {
    FoundFunction found{&rule, 0, ""};
    std::optional<std::int64_t> anchor;
    if (!rule.before.empty()) {
      const auto other = lines_.find(rule.before);
      if (other == lines_.end()) {
        found.reason = rule.name + " is found by " + rule.before + ", which is not found";
        return found;
      }
      anchor = other->second;
    }
    const auto starts_rule = [&](const ErrorSite& site) {
      const std::int64_t distance = anchor.value_or(0) - std::int64_t{site.line};
      return site.reason == rule.errors[0].reason &&
             (!anchor || (distance >= rule.before_from && distance <= rule.before_to));
    };
    const std::vector<Match> matches = find_matches(rule, starts_rule);
    const std::size_t lost = static_cast<std::size_t>(
        std::count_if(homeless_.begin(), homeless_.end(),
                      [&](const ErrorSite* site) { return anchor && starts_rule(*site); }));
    if (matches.size() == 1 && lost == 0) {
      found.address = matches[0].function;
      lines_[rule.name] = matches[0].line;
    } else if (matches.size() + lost > 1) {
      found.reason =
          rule.name + " not unique (" + std::to_string(matches.size() + lost) + " candidates)";
    } else {
      found.reason =
          lost == 1 ? "the start of " + rule.name + " is not found" : rule.name + " is not found";
    }
    return found;
  }

 private:
  template <typename StartsRule>
  std::vector<Match> find_matches(const FunctionRule& rule, const StartsRule& starts_rule) const {
    std::vector<Match> matches;
    for (const auto& entry : by_function_) {
      const std::vector<const ErrorSite*>& sites = entry.second;
      const auto base = std::find_if(sites.begin(), sites.end(), [&](const ErrorSite* site) {
        return starts_rule(*site) && fits_function(rule, sites, site->line);
      });
      if (base != sites.end()) matches.push_back({entry.first, (*base)->line});
    }
    return matches;
  }

  std::map<std::uint64_t, std::vector<const ErrorSite*>> by_function_;
  std::vector<const ErrorSite*> homeless_;
  std::map<std::string, std::int64_t, std::less<>> lines_;  // of functions found, their first error
};

}  // namespace

std::optional<ErrorSite> read_error_site(const ElfView& elf, const Reference& reference,
                                         const ErrorPack& pack,
                                         std::optional<std::uint64_t> function) {
  Constants constants = constants_before(elf, reference, function);
  std::uint64_t at = reference.address;
  std::size_t steps = 0;
  for (std::size_t jumps = 0; jumps <= kMaxJumps; ++jumps) {
    std::optional<std::uint64_t> jump;
    bool calls = false;
    const std::vector<std::uint8_t> code = elf.read(at, kCodeBytes);
    walk_instructions(code, at, [&](std::uint64_t, const Instruction& one) {
      if (++steps > kMaxStepInstructions) return false;
      if (one.kind == Instruction::Kind::kJump) {
        jump = one.target;
        return false;
      }
      calls = one.kind == Instruction::Kind::kCall;
      return !calls && constants.step(one);
    });
    if (calls) {
      auto site = constants.as_site(reference, pack);
      if (site) site->function = function;
      return site;
    }
    if (!jump || !elf.is_code(*jump)) return std::nullopt;
    at = *jump;
  }
  return std::nullopt;
}

std::vector<FoundFunction> match_functions(const ErrorPack& pack,
                                           const std::vector<ErrorSite>& sites) {
  Matcher matcher(sites);
  std::vector<FoundFunction> found;
  for (const FunctionRule& rule : pack.functions) found.push_back(matcher.match(rule));
  return found;
}

}  // namespace aispm::sensor::fingerprint
