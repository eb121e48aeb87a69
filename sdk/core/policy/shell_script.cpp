// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/shell_script.hpp"

#include <simdjson.h>

#include "sdk/core/policy/rust_bytes.hpp"

namespace aispm::policy {
namespace {

namespace json = simdjson::dom;

std::string text_at(const json::element& object, const char* key) {
  std::string_view text;
  return object[key].get_string().get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

bool flag_at(const json::element& object, const char* key) {
  bool flag = false;
  return object[key].get_bool().get(flag) == simdjson::SUCCESS && flag;
}

ShellWord word_of(const json::element& object) {
  return {text_at(object, "text"), flag_at(object, "fixed")};
}

json::array list_at(const json::element& object, const char* key) {
  json::array list;
  return object[key].get_array().get(list) == simdjson::SUCCESS ? list : json::array();
}

ShellCommand command_of(const json::element& object) {
  ShellCommand command;
  command.is_piped = flag_at(object, "piped");
  for (const json::element word : list_at(object, "words")) command.words.push_back(word_of(word));
  for (const json::element assign : list_at(object, "assigns"))
    command.assignments.push_back({text_at(assign, "name"), word_of(assign)});
  for (const json::element redirect : list_at(object, "redirects"))
    command.redirects.push_back({text_at(redirect, "op"), word_of(redirect)});
  return command;
}

}  // namespace

Result<std::vector<ShellCommand>> parse_shell(std::string_view script) {
  RustBytes answer;
  const auto* text = reinterpret_cast<const std::uint8_t*>(script.data());
  if (aispm_shell_parse(text, script.size(), answer.out()) != 0)
    return fail(Errc::kUnsupported, "shell script: " + std::string(answer.text()));
  json::parser parser;
  json::element root;
  const simdjson::padded_string padded(answer.text());
  json::array list;
  if (parser.parse(padded).get(root) != simdjson::SUCCESS)
    return fail(Errc::kInternal, "shell script: the grammar's answer cannot be read");
  if (root["commands"].get_array().get(list) != simdjson::SUCCESS)
    return fail(Errc::kUnsupported, "shell script: " + text_at(root, "opaque"));
  std::vector<ShellCommand> commands;
  for (const json::element command : list) commands.push_back(command_of(command));
  return commands;
}

}  // namespace aispm::policy
