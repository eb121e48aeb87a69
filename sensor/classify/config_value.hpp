// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// Configuration files of other programs: JSON (with comments), TOML and YAML as one kind of tree.
// Pure; the files belong to users, so every size is limited.
namespace aispm::sensor {

struct ConfigValue {
  enum class Kind { kNone, kText, kList, kMap };  // numbers and flags are text
  Kind kind = Kind::kNone;
  std::string text;
  std::vector<ConfigValue> list;
  struct Member;
  std::vector<Member> map;

  // The member, or nullptr.
  const ConfigValue* find(std::string_view key) const;
  // Its text, empty when absent or no text.
  std::string_view text_at(std::string_view key) const;
};

// Not a std::pair, whose traits clang 14 asks for before the type is complete.
struct ConfigValue::Member {
  std::string name;
  ConfigValue value;
};

inline constexpr std::size_t kMaxConfigBytes = 4U << 20;
inline constexpr std::size_t kMaxConfigValues = 200'000;
inline constexpr std::size_t kMaxConfigDepth = 32;

// By the end of `path`: .toml, .yaml and .yml; all else is JSON, where comments and commas before a
// closing bracket are allowed. kInvalid or kTooLarge.
Result<ConfigValue> parse_config_file(std::string_view path, const std::string& text);

}  // namespace aispm::sensor
