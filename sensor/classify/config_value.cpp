// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/config_value.hpp"

#include <yaml-cpp/yaml.h>

#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/common/strict_toml.hpp"

namespace aispm::sensor {
namespace {

using Kind = ConfigValue::Kind;

// Counts down what may still be made.
struct Budget {
  std::size_t values = kMaxConfigValues;
  bool take(std::size_t depth) {
    if (values == 0 || depth > kMaxConfigDepth) return false;
    --values;
    return true;
  }
};

tl::unexpected<Error> too_large() {
  return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxConfigValues) + " values or " +
                                   std::to_string(kMaxConfigDepth) + " levels");
}

// JSON with // and /* */ comments and trailing commas as plain JSON of the same length.
std::string without_comments(std::string text) {
  bool in_string = false;
  std::size_t comma = std::string::npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
      continue;
    }
    if (c == '/' && i + 1 < text.size() && (text[i + 1] == '/' || text[i + 1] == '*')) {
      const bool is_line = text[i + 1] == '/';
      std::size_t end = is_line ? text.find('\n', i) : text.find("*/", i + 2);
      end = end == std::string::npos ? text.size() : end + (is_line ? 0 : 2);
      std::fill(text.begin() + static_cast<std::ptrdiff_t>(i),
                text.begin() + static_cast<std::ptrdiff_t>(end), ' ');
      i = end - 1;
      continue;
    }
    if (c == ',') {
      comma = i;
    } else if ((c == ']' || c == '}') && comma != std::string::npos) {
      text[comma] = ' ';
      comma = std::string::npos;
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
      comma = std::string::npos;
      in_string = c == '"';
    }
  }
  return text;
}

Result<ConfigValue> from_json(const codec::JsonTree& tree, std::size_t index, Budget& budget,
                              std::size_t depth) {
  if (!budget.take(depth)) return too_large();
  ConfigValue value;
  const codec::JsonNode& node = tree[index];
  switch (node.kind) {
    case codec::JsonKind::kObject:
      value.kind = Kind::kMap;
      for (std::size_t i = index + 1; i < node.next; i = tree[i + 1].next) {
        AISPM_TRY(ConfigValue member, from_json(tree, i + 1, budget, depth + 1));
        value.map.push_back({std::string(tree[i].text), std::move(member)});
      }
      break;
    case codec::JsonKind::kArray:
      value.kind = Kind::kList;
      for (std::size_t i = index + 1; i < node.next; i = tree[i].next) {
        AISPM_TRY(ConfigValue element, from_json(tree, i, budget, depth + 1));
        value.list.push_back(std::move(element));
      }
      break;
    case codec::JsonKind::kString:
    case codec::JsonKind::kNumber:
      value.kind = Kind::kText;
      value.text = std::string(node.text);
      break;
    case codec::JsonKind::kTrue:
    case codec::JsonKind::kFalse:
      value.kind = Kind::kText;
      value.text = node.kind == codec::JsonKind::kTrue ? "true" : "false";
      break;
    case codec::JsonKind::kNull:
      break;
  }
  return value;
}

Result<ConfigValue> parse_json(const std::string& text) {
  const std::string plain = without_comments(text);
  codec::JsonTree tree;
  AISPM_CHECK(tree.read(plain, kMaxConfigDepth));
  Budget budget;
  return from_json(tree, 0, budget, 0);
}

// toml++ 3.3 has no defined behaviour for most characters beyond ASCII that stand where a space
// may. So it sees none: each such byte, and each '~', is '~' and two hex digits while it reads.
std::string hide_non_ascii(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::string ascii;
  ascii.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ascii += byte < 0x80 && c != '~' ? c : '~';
    if (ascii.back() == '~') (ascii += kDigits[byte >> 4]) += kDigits[byte & 15];
  }
  return ascii;
}

std::string show_non_ascii(std::string_view ascii) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string text;
  text.reserve(ascii.size());
  for (std::size_t i = 0; i < ascii.size(); ++i) {
    const int high = ascii[i] == '~' && i + 2 < ascii.size() ? digit(ascii[i + 1]) : -1;
    const int low = high >= 0 ? digit(ascii[i + 2]) : -1;
    text += low >= 0 ? static_cast<char>(high << 4 | low) : ascii[i];
    if (low >= 0) i += 2;
  }
  return text;
}

Result<ConfigValue> from_toml(const toml::node& node, Budget& budget, std::size_t depth) {
  if (!budget.take(depth)) return too_large();
  ConfigValue value;
  if (const toml::table* table = node.as_table()) {
    value.kind = Kind::kMap;
    for (const auto& [key, one] : *table) {
      AISPM_TRY(ConfigValue member, from_toml(one, budget, depth + 1));
      value.map.push_back({show_non_ascii(key.str()), std::move(member)});
    }
  } else if (const toml::array* array = node.as_array()) {
    value.kind = Kind::kList;
    for (const toml::node& one : *array) {
      AISPM_TRY(ConfigValue element, from_toml(one, budget, depth + 1));
      value.list.push_back(std::move(element));
    }
  } else {
    value.kind = Kind::kText;
    value.text = show_non_ascii(node.value<std::string>().value_or(""));
  }
  return value;
}

Result<ConfigValue> parse_toml(const std::string& text) {
  // The library tells of wrong input by an exception only; its text may quote the file.
  try {
    const toml::table table = toml::parse(hide_non_ascii(text));
    Budget budget;
    return from_toml(table, budget, 0);
  } catch (const toml::parse_error& error) {
    return fail(Errc::kInvalid, "no TOML: line " + std::to_string(error.source().begin.line));
  } catch (const BrokenTomlAssumption&) {
    return fail(Errc::kInvalid, "no TOML: a key or value is missing");
  }
}

Result<ConfigValue> from_yaml(const YAML::Node& node, Budget& budget, std::size_t depth) {
  // Aliases may share nodes without end: each visit costs.
  if (!budget.take(depth)) return too_large();
  ConfigValue value;
  if (node.IsMap()) {
    value.kind = Kind::kMap;
    for (const auto& one : node) {
      if (!one.first.IsScalar()) continue;
      AISPM_TRY(ConfigValue member, from_yaml(one.second, budget, depth + 1));
      value.map.push_back({one.first.Scalar(), std::move(member)});
    }
  } else if (node.IsSequence()) {
    value.kind = Kind::kList;
    for (const auto& one : node) {
      AISPM_TRY(ConfigValue element, from_yaml(one, budget, depth + 1));
      value.list.push_back(std::move(element));
    }
  } else if (node.IsScalar()) {
    value.kind = Kind::kText;
    value.text = node.Scalar();
  }
  return value;
}

Result<ConfigValue> parse_yaml(const std::string& text) {
  try {
    const YAML::Node root = YAML::Load(text);
    Budget budget;
    return from_yaml(root, budget, 0);
  } catch (const YAML::Exception& error) {
    return fail(Errc::kInvalid, "no YAML: line " + std::to_string(error.mark.line + 1));
  }
}

}  // namespace

const ConfigValue* ConfigValue::find(std::string_view key) const {
  for (const auto& [name, value] : map)
    if (name == key) return &value;
  return nullptr;
}

std::string_view ConfigValue::text_at(std::string_view key) const {
  const ConfigValue* found = find(key);
  return found != nullptr && found->kind == Kind::kText ? std::string_view(found->text)
                                                        : std::string_view();
}

Result<ConfigValue> parse_config_file(std::string_view path, const std::string& text) {
  if (text.size() > kMaxConfigBytes)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxConfigBytes) + " bytes");
  if (path.ends_with(".toml")) return parse_toml(text);
  if (path.ends_with(".yaml") || path.ends_with(".yml")) return parse_yaml(text);
  return parse_json(text);
}

}  // namespace aispm::sensor
