// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

namespace aispm::gateway {

// Which classes and ids the style sheets within a page keep from being seen. Pure.
class PageStyle {
 public:
  void add(std::string_view sheet);
  bool hides_class(std::string_view classes) const;  // as in the attribute: divided by spaces
  bool hides_id(std::string_view id) const;

 private:
  void note(std::string_view selectors);
  std::unordered_set<std::string> classes_;
  std::unordered_set<std::string> ids_;
  std::size_t rules_ = 0;
};

}  // namespace aispm::gateway
