// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/json.hpp"

#include <algorithm>

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxNameBytes = 214;  // npm's own limit
constexpr std::size_t kMaxVersionBytes = 128;

bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

Result<boost::json::object> parse_object(std::string_view text, const std::string& name) {
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = 32;
  auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error,
                                  boost::json::storage_ptr(), options);
  if (error) return fail(Errc::kInvalid, name + ": is not JSON: " + error.message());
  if (!value.is_object()) return fail(Errc::kInvalid, name + ": must be a JSON object");
  return std::move(value.get_object());
}

std::string text_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->get_string());
}

const boost::json::object* object_of(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains({key.data(), key.size()});
  return value == nullptr ? nullptr : value->if_object();
}

bool is_package_name(std::string_view name) {
  if (name.size() > kMaxNameBytes) return false;
  if (name.starts_with('@')) {
    const auto slash = name.find('/');
    if (slash == std::string_view::npos) return false;
    return is_package_name(name.substr(1, slash - 1)) && name[1] != '@' &&
           is_package_name(name.substr(slash + 1)) && name.substr(slash + 1).front() != '@';
  }
  return !name.empty() && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_package_version(std::string_view version) {
  return !version.empty() && version.size() <= kMaxVersionBytes &&
         std::all_of(version.begin(), version.end(), [](char c) {
           return is_word(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '!';
         });
}

}  // namespace aispm::sandbox
