// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/action.hpp"

#include <simdjson.h>

#include <algorithm>

namespace aispm::policy {
namespace {

namespace json = simdjson::dom;

class Flattener {
 public:
  explicit Flattener(std::vector<Arguments::Leaf>& leaves) : leaves_(leaves) {}

  // {"a.b": 1, "a": {"b": 2}}: two arguments at one path, and a rule would see either.
  Result<> check_paths() const {
    if (!has_dots_) return {};
    std::vector<std::string_view> paths;
    for (const Arguments::Leaf& leaf : leaves_) paths.push_back(leaf.path);
    std::sort(paths.begin(), paths.end());
    if (const auto twice = std::adjacent_find(paths.begin(), paths.end()); twice != paths.end())
      return fail(Errc::kInvalid, "arguments: `" + std::string(*twice) + "` stands twice");
    return {};
  }

  Result<> add(const std::string& path, const json::element& element, unsigned depth) {
    if (depth > Arguments::kMaxDepth)
      return fail(Errc::kTooLarge,
                  "arguments: nested deeper than " + std::to_string(Arguments::kMaxDepth));
    switch (element.type()) {
      case json::element_type::OBJECT:
        return add_object(path, element, depth);
      case json::element_type::ARRAY: {
        std::size_t place = 0;
        for (const json::element one : json::array(element))
          AISPM_CHECK(add(join(path, std::to_string(place++)), one, depth + 1));
        return {};
      }
      case json::element_type::NULL_VALUE:
        return {};
      case json::element_type::BOOL:
        return keep(path, bool(element));
      case json::element_type::STRING:
        return keep(path, std::string(std::string_view(element)));
      default:
        return keep(path, double(element));
    }
  }

 private:
  Result<> add_object(const std::string& path, const json::element& element, unsigned depth) {
    std::vector<std::string_view> keys;
    for (const auto field : json::object(element)) keys.push_back(field.key);
    std::sort(keys.begin(), keys.end());
    if (const auto twice = std::adjacent_find(keys.begin(), keys.end()); twice != keys.end())
      return fail(Errc::kInvalid, "arguments: `" + join(path, *twice) + "` stands twice");
    for (const auto field : json::object(element)) {
      has_dots_ = has_dots_ || field.key.find('.') != std::string_view::npos;
      AISPM_CHECK(add(join(path, field.key), field.value, depth + 1));
    }
    return {};
  }

  Result<> keep(const std::string& path, Arguments::Value value) {
    if (leaves_.size() >= Arguments::kMaxLeaves)
      return fail(Errc::kTooLarge,
                  "arguments: more than " + std::to_string(Arguments::kMaxLeaves) + " values");
    leaves_.push_back({path, std::move(value)});
    return {};
  }

  static std::string join(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }

  std::vector<Arguments::Leaf>& leaves_;
  bool has_dots_ = false;
};

}  // namespace

Result<Arguments> Arguments::parse(std::string_view text) {
  if (text.size() > kMaxBytes)
    return fail(Errc::kTooLarge, "arguments: longer than " + std::to_string(kMaxBytes) + " bytes");
  json::parser parser;
  json::element root;
  const simdjson::padded_string padded(text);
  if (const auto error = parser.parse(padded).get(root))
    return fail(Errc::kInvalid, std::string("arguments: ") + simdjson::error_message(error));
  if (!root.is_object()) return fail(Errc::kInvalid, "arguments: must be a JSON object");
  Arguments arguments;
  Flattener flattener(arguments.leaves_);
  AISPM_CHECK(flattener.add("", root, 0));
  AISPM_CHECK(flattener.check_paths());
  return arguments;
}

Arguments Arguments::of(std::vector<Leaf> leaves) {
  Arguments arguments;
  arguments.leaves_ = std::move(leaves);
  return arguments;
}

}  // namespace aispm::policy
