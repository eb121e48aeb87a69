// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/signatures.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

// `*` is one part of a label: at least one byte, never a dot. Linear for one star, and one pattern
// has few.
bool matches_glob(std::string_view pattern, std::string_view text) {
  while (!pattern.empty() && pattern.front() != '*') {
    if (text.empty() || text.front() != pattern.front()) return false;
    pattern.remove_prefix(1);
    text.remove_prefix(1);
  }
  if (pattern.empty()) return text.empty();
  pattern.remove_prefix(1);
  for (std::size_t i = 1; i <= text.size() && text[i - 1] != '.'; ++i)
    if (matches_glob(pattern, text.substr(i))) return true;
  return false;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_interpreter(std::string_view program) {
  static constexpr std::string_view kNames[] = {"node", "nodejs", "bun",  "deno", "sh",
                                                "bash", "ruby",   "perl", "uv",   "npx"};
  return program.starts_with("python") ||
         std::find(std::begin(kNames), std::end(kNames), program) != std::end(kNames);
}

// "aider.py", "claude.js": the script's name without what says its language.
std::string_view without_extension(std::string_view name) {
  for (const std::string_view end : {".py", ".js", ".mjs", ".cjs", ".ts", ".sh"})
    if (name.size() > end.size() && name.ends_with(end))
      return name.substr(0, name.size() - end.size());
  return name;
}

}  // namespace

std::string normal_host(std::string_view host) {
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string text(host);
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return text;
}

const Signature* Signatures::find_host(std::string_view host) const {
  const std::string name = normal_host(host);
  if (const auto found = exact_hosts_.find(name); found != exact_hosts_.end())
    return at(found->second);
  for (std::size_t begin = 0; begin < name.size();) {
    if (const auto found = host_suffixes_.find(name.substr(begin)); found != host_suffixes_.end())
      return at(found->second);
    const std::size_t dot = name.find('.', begin);
    if (dot == std::string::npos) break;
    begin = dot + 1;
  }
  for (const Glob& glob : host_globs_)
    if (matches_glob(glob.pattern, name)) return at(glob.signature);
  return nullptr;
}

const Signature* Signatures::find_port(std::uint16_t port) const {
  const auto found = ports_.find(port);
  return found == ports_.end() ? nullptr : at(found->second);
}

const Signature* Signatures::find_process(const model::Process& process) const {
  const auto find = [this](std::string_view name) -> const Signature* {
    const auto found = processes_.find(std::string(name));
    return found == processes_.end() ? nullptr : at(found->second);
  };
  const std::string_view program = base_name(process.exe);
  if (const Signature* found = find(program)) return found;
  // The script is the first argument that is no option: "node --no-warnings /usr/bin/claude".
  if (is_interpreter(program)) {
    const auto script = std::find_if(
        process.argv.begin() + (process.argv.empty() ? 0 : 1), process.argv.end(),
        [](const std::string& argument) { return !argument.empty() && argument.front() != '-'; });
    if (script != process.argv.end())
      if (const Signature* found = find(without_extension(base_name(*script)))) return found;
  }
  return find(process.comm);
}

}  // namespace aispm::sensor
