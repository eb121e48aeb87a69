// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace aispm::collector {

// Each role may do what the ones before it may.
enum class Role : std::uint8_t { kViewer = 1, kOperator = 2, kAdmin = 3 };

constexpr std::string_view name_of(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
  }
  return "";
}

constexpr std::optional<Role> parse_role(std::string_view name) {
  for (const Role role : {Role::kViewer, Role::kOperator, Role::kAdmin})
    if (name_of(role) == name) return role;
  return std::nullopt;
}

}  // namespace aispm::collector
