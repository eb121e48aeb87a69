// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

struct aispm_rego;

namespace aispm::policy {

struct RegoModule {
  std::string name;  // shown in errors
  std::string text;
};

struct RegoLimits {
  std::chrono::microseconds time{100'000};  // of one evaluation, by the clock
};

// Rego modules, compiled once. Immutable; any thread. Needs no server and reaches neither network,
// files nor clock facts of the host.
class Rego {
 public:
  static constexpr std::size_t kMaxModules = 256;
  static constexpr std::size_t kMaxModuleBytes = 1U << 20;
  static constexpr std::size_t kMaxInputBytes = 4U << 20;
  // That all Rego of this process holds together; an evaluation that would need more fails.
  static constexpr std::size_t kMaxMemoryBytes = 256U << 20;

  // `data`: a JSON object, seen by the modules as `data`. Every rule is evaluated once with an
  // empty input, so that what is wrong shows now. Errors name module, line and column.
  static Result<Rego> compile(const std::vector<RegoModule>& modules, std::string_view data,
                              RegoLimits limits = {});

  // The value of a rule such as `data.aispm.tools.decision` as JSON; "null" where it is undefined.
  // kInvalid: no such rule, an error of the rule, or a limit reached; whoever asks fails closed.
  Result<std::string> evaluate(std::string_view rule, std::string_view input) const;

  // Which members of `input` the modules of a package mention, and modules that are no decision of
  // their own (outside `aispm.`), as anybody may use those: "tool", "scopes". Read from the text.
  std::set<std::string> inputs_of(std::string_view package) const;

  // "data.aispm.tools", ...
  const std::set<std::string, std::less<>>& packages() const { return packages_; }
  bool has_package(std::string_view path) const { return packages_.contains(path); }

  // The packages' `decision` rules that do not run as a program but in the interpreter (a fifth of
  // the speed, the same answers), each with the reason: what of Rego they use.
  const std::map<std::string, std::string>& interpreted() const { return interpreted_; }

 private:
  struct Free {
    void operator()(aispm_rego* engine) const;
  };
  std::unique_ptr<aispm_rego, Free> engine_;
  std::vector<std::pair<std::string, std::set<std::string>>> inputs_;  // package, members
  std::set<std::string, std::less<>> packages_;
  std::map<std::string, std::string> interpreted_;
};

}  // namespace aispm::policy
