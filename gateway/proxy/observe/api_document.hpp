// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace aispm::gateway {

// What an operator's door serves; its dispatcher and the document below read the same table.
struct OperatorRoute {
  std::string_view method;
  std::string_view path;  // `{...}` stands for one part
  std::string_view summary;
};
std::span<const OperatorRoute> operator_routes();

// The OpenAPI 3.1 description of all that this gateway serves, as JSON: routes of agents from
// route.hpp's table, of operators from the one above.
const std::string& openapi_document();
// The same as a page for people: no script, nothing from elsewhere.
const std::string& api_page();
inline constexpr std::string_view kHtmlType = "text/html; charset=utf-8";

}  // namespace aispm::gateway
