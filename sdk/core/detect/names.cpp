// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "sdk/core/detect/rule.hpp"

namespace aispm::detect {
namespace {

constexpr std::array<std::string_view, 3> kCategories = {"prompt_injection", "secret", "pii"};
constexpr std::array<std::string_view, kSurfaceCount> kSurfaces = {
    "prompt", "system", "tool_result", "tool_arguments", "tool_description", "reply"};

template <typename Enum, std::size_t N>
std::optional<Enum> parse(std::string_view name, const std::array<std::string_view, N>& names) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Category category) {
  return kCategories.at(static_cast<std::size_t>(category));
}
std::string_view name_of(Surface surface) {
  return kSurfaces.at(static_cast<std::size_t>(surface));
}
std::optional<Category> parse_category(std::string_view name) {
  return parse<Category>(name, kCategories);
}
std::optional<Surface> parse_surface(std::string_view name) {
  return parse<Surface>(name, kSurfaces);
}

}  // namespace aispm::detect
