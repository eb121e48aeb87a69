// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// What a person would read on a page. Pure.
namespace aispm::gateway {

struct PageText {
  std::string title;
  std::string text;                 // UTF-8; blocks are lines
  std::size_t hidden_passages = 0;  // that a browser would not show: left out
  bool is_cut = false;              // at the limit
};

// The words of an HTML page without scripts, styles, comments, forms' values and what is hidden: by
// attributes (`hidden`, `aria-hidden`), by style (not displayed, not visible, no size, off the
// screen, clipped, see-through), also by simple selectors of the page's own `<style>`. Style sheets
// in files of their own are not read. `charset`: of the reply's head, "" = not said. At most
// `characters` of text. kInvalid: it cannot be read.
Result<PageText> read_page(std::string_view html, std::string_view charset, std::size_t characters);

// A text that is no HTML, cut to `characters`.
PageText read_plain(std::string_view text, std::size_t characters);

// Whether declarations ("display:none; color:red") keep something from being seen.
bool hides(std::string_view declarations);

}  // namespace aispm::gateway
