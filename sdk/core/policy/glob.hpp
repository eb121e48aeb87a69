// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace aispm::policy {

// Shell-like: `*` any run, `?` one character, else itself. No recursion; at worst pattern times
// text.
bool glob_matches(std::string_view pattern, std::string_view text);

// A glob that knows whether it is a plain name.
class Glob {
 public:
  Glob() = default;
  explicit Glob(std::string pattern)
      : pattern_(std::move(pattern)), is_name_(pattern_.find_first_of("*?") == std::string::npos) {}

  // Stands for itself, whatever characters it has.
  static Glob literal(std::string text) {
    Glob glob(std::move(text));
    glob.is_name_ = true;
    return glob;
  }

  bool matches_all() const { return !is_name_ && pattern_ == "*"; }
  bool is_name() const { return is_name_; }
  const std::string& text() const { return pattern_; }
  bool matches(std::string_view text) const {
    if (is_name_) return pattern_ == text;
    return matches_all() || glob_matches(pattern_, text);
  }

 private:
  std::string pattern_ = "*";
  bool is_name_ = false;
};

}  // namespace aispm::policy
