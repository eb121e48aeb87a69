// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "sdk/core/detect/rule.hpp"
#include "sdk/core/model/detection_names.hpp"

namespace aispm::detect {
namespace {

constexpr auto& kCategories = model::kCategoryNames;
constexpr auto& kSurfaces = model::kSurfaceNames;
static_assert(kCategories.size() == kCategoryCount && kSurfaces.size() == kSurfaceCount);
constexpr std::array<std::string_view, 13> kTricks = {
    "none",  "base64", "hex",   "percent",  "escape", "entity", "binary",
    "morse", "gzip",   "rot13", "reversed", "leet",   "broken"};

// Other words for surfaces: those of data sets and of other products.
struct Alias {
  std::string_view name;
  Surface surface;
};
constexpr std::array<Alias, 6> kAliases = {{{"user_prompt", Surface::kPrompt},
                                            {"system_prompt", Surface::kSystem},
                                            {"llm_output", Surface::kReply},
                                            {"tool_call", Surface::kToolArguments},
                                            {"email", Surface::kEmailOrWeb},
                                            {"web", Surface::kEmailOrWeb}}};

template <typename Enum, std::size_t N>
std::optional<Enum> parse(std::string_view name, const std::array<std::string_view, N>& names) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

template <std::size_t N>
std::string join(const std::array<std::string_view, N>& names) {
  std::string all;
  for (const std::string_view name : names) {
    if (!all.empty()) all += ", ";
    all += name;
  }
  return all;
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
  for (const Alias& alias : kAliases)
    if (alias.name == name) return alias.surface;
  return parse<Surface>(name, kSurfaces);
}
std::string_view name_of(Trick trick) { return kTricks.at(static_cast<std::size_t>(trick)); }
std::string surface_words() { return join(kSurfaces); }
std::string category_words() { return join(kCategories); }

std::array<std::array<double, kSurfaceCount>, kCategoryCount> default_thresholds() {
  constexpr double kOwn = 0.75;
  constexpr double kForeign = 0.6;
  std::array<std::array<double, kSurfaceCount>, kCategoryCount> all{};
  for (auto& row : all)
    for (std::size_t i = 0; i < kSurfaceCount; ++i)
      row[i] = (surface_bit(static_cast<Surface>(i)) & kForeignSurfaces) != 0 ? kForeign : kOwn;
  return all;
}

}  // namespace aispm::detect
