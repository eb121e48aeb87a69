// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/rego.hpp"

#include <boost/json.hpp>

#include "sdk/core/policy/rust_bytes.hpp"

namespace aispm::policy {
namespace {

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string name_at(std::string_view text, std::size_t at, bool with_dots) {
  std::size_t end = at;
  while (end < text.size() && (is_name(text[end]) || (with_dots && text[end] == '.'))) ++end;
  return std::string(text.substr(at, end - at));
}

std::string without_comments(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos && line[first] != '#') out.append(line).push_back('\n');
    at = end + 1;
  }
  return out;
}

std::pair<std::string, std::set<std::string>> inputs_in(const std::string& module) {
  constexpr std::string_view kPackage = "package ";
  const std::string text = without_comments(module);
  std::pair<std::string, std::set<std::string>> found;
  if (const std::size_t at = text.find(kPackage); at != std::string::npos)
    found.first = name_at(text, at + kPackage.size(), true);
  for (std::size_t at = text.find("input"); at != std::string::npos; at = text.find("input", at)) {
    const bool is_word = at == 0 || !is_name(text[at - 1]);
    at += 5;
    if (!is_word || (at < text.size() && is_name(text[at]))) continue;
    // `input["x"]`, or all of it: any member may be meant.
    found.second.insert(at < text.size() && text[at] == '.' ? name_at(text, at + 1, false) : "");
  }
  return found;
}

// What the library says of a compiled engine; its JSON is our own.
Result<boost::json::value> ask(const aispm_rego* engine,
                               int (*question)(const aispm_rego*, aispm_bytes*)) {
  RustBytes answer;
  if (question(engine, answer.out()) != 0) return fail(Errc::kInternal, std::string(answer.text()));
  return boost::json::parse(answer.text());
}

}  // namespace

void Rego::Free::operator()(aispm_rego* engine) const { aispm_rego_free(engine); }

Result<Rego> Rego::compile(const std::vector<RegoModule>& modules, std::string_view data,
                           RegoLimits limits) {
  if (modules.size() > kMaxModules)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxModules) + " Rego modules");
  aispm_rego_limit_memory(kMaxMemoryBytes);
  boost::json::array list;
  for (const RegoModule& module : modules) {
    if (module.text.size() > kMaxModuleBytes)
      return fail(Errc::kTooLarge,
                  module.name + ": longer than " + std::to_string(kMaxModuleBytes) + " bytes");
    list.push_back({{"name", module.name}, {"text", module.text}});
  }
  const std::string sent = boost::json::serialize(list);
  RustBytes error;
  aispm_rego* engine = nullptr;
  if (aispm_rego_compile(bytes_of(sent), sent.size(), bytes_of(data), data.size(),
                         static_cast<std::uint64_t>(limits.time.count()), &engine,
                         error.out()) != 0)
    return fail(Errc::kInvalid, std::string(error.text()));
  Rego rego;
  rego.engine_.reset(engine);
  for (const RegoModule& module : modules) rego.inputs_.push_back(inputs_in(module.text));
  AISPM_TRY(const boost::json::value packages, ask(engine, aispm_rego_packages));
  for (const auto& package : packages.as_array()) rego.packages_.emplace(package.as_string());
  AISPM_TRY(const boost::json::value interpreted, ask(engine, aispm_rego_interpreted));
  for (const auto& rule : interpreted.as_object())
    rego.interpreted_.emplace(rule.key(), rule.value().as_string());
  return rego;
}

std::set<std::string> Rego::inputs_of(std::string_view package) const {
  std::set<std::string> all;
  for (const auto& [name, members] : inputs_)
    if (name == package || !name.starts_with("aispm.")) all.insert(members.begin(), members.end());
  return all;
}

Result<std::string> Rego::evaluate(std::string_view rule, std::string_view input) const {
  if (input.size() > kMaxInputBytes)
    return fail(Errc::kTooLarge,
                "Rego input: longer than " + std::to_string(kMaxInputBytes) + " bytes");
  RustBytes answer;
  if (aispm_rego_evaluate(engine_.get(), bytes_of(rule), rule.size(), bytes_of(input), input.size(),
                          answer.out()) != 0)
    return fail(Errc::kInvalid, std::string(answer.text()));
  return std::string(answer.text());
}

}  // namespace aispm::policy
