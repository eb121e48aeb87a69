// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/problems.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>

namespace aispm::policy {
namespace {

constexpr int kMaxDepth = 64;

// "12:" or "12" and a line's end at the beginning: the number, and nothing left of it.
std::uint32_t take_number(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto size = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || size == text.size() || (*end != ':' && *end != '\n')) return 0;
  text.remove_prefix(size + 1);
  return number;
}

void trim(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

// The key that a message is about: "outcome: `x`: allowed ...", "unknown key `x`, allowed ...".
std::string key_of(std::string_view message) {
  const std::size_t quote = message.find('`');
  const std::size_t colon = message.find(':');
  if (quote < colon) {
    const std::size_t end = message.find('`', quote + 1);
    return end == std::string_view::npos ? ""
                                         : std::string(message.substr(quote + 1, end - quote - 1));
  }
  return colon == std::string_view::npos ? "" : std::string(message.substr(0, colon));
}

// Column, from 1, of a key on a line; 0: not there.
std::uint32_t find_key(const YAML::Node& node, const std::string& key, int line, int depth) {
  if (depth > kMaxDepth) return 0;
  if (node.IsMap())
    for (const auto& entry : node) {
      if (entry.first.IsScalar() && entry.first.Mark().line == line && entry.first.Scalar() == key)
        return static_cast<std::uint32_t>(entry.first.Mark().column) + 1;
      if (const auto found = find_key(entry.second, key, line, depth + 1)) return found;
    }
  if (node.IsSequence())
    for (const auto& one : node)
      if (const auto found = find_key(one, key, line, depth + 1)) return found;
  return 0;
}

std::uint32_t first_column(const std::string& content, std::uint32_t line) {
  std::size_t at = 0;
  for (std::uint32_t i = 1; i < line && at != std::string::npos; ++i) {
    at = content.find('\n', at);
    if (at != std::string::npos) ++at;
  }
  if (at == std::string::npos) return 0;
  const std::size_t first = content.find_first_not_of(" -", at);
  return first == std::string::npos ? 1 : static_cast<std::uint32_t>(first - at) + 1;
}

std::uint32_t yaml_column(const std::string& content, std::uint32_t line,
                          std::string_view message) {
  try {  // yaml-cpp reports syntax by exception
    const YAML::Node root = YAML::Load(content);
    const auto column = find_key(root, key_of(message), static_cast<int>(line) - 1, 0);
    return column != 0 ? column : first_column(content, line);
  } catch (const YAML::Exception& problem) {
    return static_cast<std::uint32_t>(std::max(problem.mark.column, 0)) + 1;
  }
}

void check_files(const std::vector<FolderFile>& files, const BundleOptions& given,
                 v1::PolicyValidation& validation) {
  BundleOptions options;  // a signature is about all files
  options.take_detect = given.take_detect;
  std::vector<FolderFile> rego;
  std::vector<FolderFile> tools;
  for (const FolderFile& file : files) {
    const bool is_rego = file.path.starts_with("rego/") || file.path == "data.json";
    if (is_rego || file.path == "tools.yaml" || file.path == "pins.yaml") {
      (is_rego ? rego : tools).push_back(file);
      continue;
    }
    if (file.path == Bundle::kSignatureFile) continue;
    if (const auto alone = Bundle::compile({file}, options); !alone)
      *validation.add_problems() = place_problem(files, alone.error().message);
  }
  for (const auto& parts : {tools, rego})
    if (const auto together = Bundle::compile(parts); !together)
      *validation.add_problems() = place_problem(files, together.error().message);
}

}  // namespace

v1::PolicyProblem place_problem(const std::vector<FolderFile>& files, const std::string& message) {
  v1::PolicyProblem problem;
  problem.set_message(message);
  for (const FolderFile& file : files) {
    const std::size_t at = message.find(file.path + ":");
    if (at == std::string::npos) continue;
    problem.set_path(file.path);
    std::string_view rest = std::string_view(message).substr(at + file.path.size() + 1);
    problem.set_line(take_number(rest));
    if (problem.line() != 0) problem.set_column(take_number(rest));
    trim(rest);
    if (at == 0) problem.set_message(std::string(rest));
    // Rego shows the line and an arrow before it says what is wrong.
    constexpr std::string_view kError = "error: ";
    if (const auto error = message.rfind(kError); at != 0 && error != std::string::npos)
      problem.set_message(message.substr(error + kError.size()));
    if (problem.line() != 0 && problem.column() == 0 && file.path.ends_with(".yaml"))
      problem.set_column(yaml_column(file.content, problem.line(), rest));
    break;
  }
  return problem;
}

v1::PolicyValidation validate_bundle(const std::vector<FolderFile>& files,
                                     const BundleOptions& options) {
  v1::PolicyValidation validation;
  const auto bundle = Bundle::compile(files, options);
  if (!bundle) {
    check_files(files, options, validation);
    // Wrong only as a whole: the signature, say.
    if (validation.problems().empty())
      *validation.add_problems() = place_problem(files, bundle.error().message);
    return validation;
  }
  validation.set_digest((*bundle)->version());
  if ((*bundle)->actions() != nullptr)
    validation.set_action_rules(static_cast<std::uint32_t>((*bundle)->actions()->rule_count()));
  if ((*bundle)->commands() != nullptr)
    validation.set_command_rules(static_cast<std::uint32_t>((*bundle)->commands()->rule_count()));
  validation.set_rego_modules(static_cast<std::uint32_t>(
      std::count_if(files.begin(), files.end(), [](const FolderFile& file) {
        return file.path.starts_with("rego/") && !file.path.starts_with("rego/tests/");
      })));
  return validation;
}

}  // namespace aispm::policy
