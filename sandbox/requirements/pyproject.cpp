// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/requirements.hpp"
#include "sdk/core/common/strict_toml.hpp"

namespace aispm::sandbox {
namespace {

// What no requirement holds stands for bytes beyond ASCII, of which toml++ 3.3 has no defined
// behaviour outside of strings. They may be in names and comments, which are not looked at.
constexpr char kNotAscii = '$';

std::string hide_non_ascii(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string ascii(text);
  for (char& c : ascii)
    if (static_cast<unsigned char>(c) >= 0x80) c = kNotAscii;
  return ascii;
}

}  // namespace

Result<Requirements> parse_pyproject(std::string_view text, const std::string& name) {
  if (text.size() > kMaxRequirementsBytes)
    return fail(Errc::kTooLarge,
                name + ": larger than " + std::to_string(kMaxRequirementsBytes) + " bytes");
  toml::table table;
  try {
    table = toml::parse(hide_non_ascii(text));
  } catch (const toml::parse_error& error) {
    return fail(Errc::kInvalid, name + ":" + std::to_string(error.source().begin.line) + ": " +
                                    std::string(error.description()));
  } catch (const BrokenTomlAssumption&) {
    return fail(Errc::kInvalid, name + ": is not TOML");
  }
  const auto* project = table["project"].as_table();
  if (project == nullptr)
    return fail(Errc::kInvalid, name + ":1: has no [project]. Add it, with dependencies = [...]");
  const auto at = [&](const toml::node& node) {
    return name + ":" + std::to_string(node.source().begin.line) + ": ";
  };
  if (const auto* dynamic = (*project)["dynamic"].as_array())
    for (const auto& word : *dynamic)
      if (word.value<std::string_view>() == "dependencies")
        return fail(Errc::kInvalid, at(word) +
                                        "dependencies that code computes are refused. List them in "
                                        "[project] dependencies");
  Requirements result;
  const auto* node = project->get("dependencies");
  if (node == nullptr) return result;
  const auto* list = node->as_array();
  if (list == nullptr)
    return fail(Errc::kInvalid, at(*node) + "dependencies must be a list of texts");
  if (list->size() > kMaxRequirements)
    return fail(Errc::kTooLarge,
                at(*node) + "more than " + std::to_string(kMaxRequirements) + " requirements");
  for (const auto& word : *list) {
    const auto value = word.value<std::string_view>();
    if (!word.is_string() || !value)
      return fail(Errc::kInvalid, at(word) + "a dependency must be a text");
    for (const char c : *value)
      if (c < ' ' || c > '~' || c == '#' || c == kNotAscii)
        return fail(Errc::kInvalid, at(word) + "holds a byte that no requirement has");
    AISPM_TRY(const std::string requirement, canonical_requirement(*value, at(word)));
    result.text += requirement + "\n";
    ++result.count;
  }
  return result;
}

}  // namespace aispm::sandbox
