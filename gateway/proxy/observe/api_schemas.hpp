// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace aispm::gateway {

// Names of schemas in kApiSchemas; empty: any JSON.
struct ApiSchemas {
  std::string_view request;
  std::string_view answer;
  std::string_view status = "200";
};
ApiSchemas schemas_of(std::string_view method, std::string_view path);

// `components.schemas` of the document.
extern const std::string_view kApiSchemas;

}  // namespace aispm::gateway
