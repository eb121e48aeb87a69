// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/agent_trees.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "sensor/model/same_start.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxNameBytes = 96;  // of an agent id's 128

std::string_view base_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

bool is_interpreter(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kNames{"python", "node", "bun", "deno", "ruby",
                                                          "perl",   "bash", "sh",  "dash"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view known) {
    // "python3.11" too
    return name.starts_with(known) &&
           name.find_first_not_of("0123456789.", known.size()) == std::string_view::npos;
  });
}

// Agent ids hold A-Z a-z 0-9 . _ - / @ only.
std::string plain(std::string_view text) {
  std::string out;
  for (const char byte : text.substr(0, kMaxNameBytes)) {
    const auto letter = static_cast<unsigned char>(byte);
    const bool is_plain = std::isalnum(letter) != 0 || byte == '.' || byte == '_' || byte == '-';
    if (is_plain)
      out += byte;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

std::string program_name(const model::Process& process) {
  const std::string_view exe = base_name(process.exe);
  if (is_interpreter(exe))
    for (std::size_t i = 1; i < process.argv.size(); ++i) {
      const std::string& argument = process.argv[i];
      if (argument == "-m" && i + 1 < process.argv.size()) return process.argv[i + 1];
      if (argument == "-c" || argument == "-e") break;  // a program in an argument has no name
      if (!argument.empty() && argument.front() != '-') return std::string(base_name(argument));
    }
  return std::string(exe.empty() ? std::string_view(process.comm) : exe);
}

}  // namespace

std::string agent_name(const model::Process& process, std::string_view signature_name) {
  std::string name(signature_name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  name = plain(name.empty() ? program_name(process) : name);
  std::string user = plain(process.user);
  if (user.empty()) user = std::to_string(process.uid);
  return user + "/" + (name.empty() ? "unnamed" : name);
}

bool AgentTrees::adopt(const model::ProcessId& process, std::string name,
                       const std::vector<model::ProcessId>& descendants) {
  if (find(process) != members_.end()) return true;
  const std::uint32_t agent = ++last_;
  names_.emplace(agent, Agent{std::move(name), 0});
  if (!join(process, agent)) {
    names_.erase(agent);
    return false;
  }
  for (const model::ProcessId& child : descendants)
    if (find(child) == members_.end()) join(child, agent);
  return true;
}

bool AgentTrees::join(const model::ProcessId& process, std::uint32_t agent) {
  if (members_.size() >= kMaxProcesses) {
    ++refused_;
    return false;
  }
  members_.emplace(process, agent);
  ++names_.at(agent).processes;
  on_join_(process, agent);
  return true;
}

void AgentTrees::on_fork(const model::ProcessId& parent, const model::ProcessId& child) {
  const auto found = find(parent);
  if (found == members_.end() || find(child) != members_.end()) return;
  join(child, found->second);
}

void AgentTrees::on_exec(const model::Process& process) { on_fork(process.parent, process.id); }

void AgentTrees::on_exit(const model::ProcessId& process) {
  const auto found = find(process);
  if (found == members_.end()) return;
  const auto agent = names_.find(found->second);
  if (--agent->second.processes == 0) names_.erase(agent);
  members_.erase(found);
}

std::string_view AgentTrees::agent_of(const model::ProcessId& process) const {
  const auto found = find(process);
  return found == members_.end() ? std::string_view() : names_.at(found->second).name;
}

// Kernel records carry nanoseconds of start, /proc multiples of 10 ms: both mean one process.
std::map<model::ProcessId, std::uint32_t>::const_iterator AgentTrees::find(
    const model::ProcessId& process) const {
  for (auto at = members_.lower_bound({process.pid, BootTime{0}});
       at != members_.end() && at->first.pid == process.pid; ++at)
    if (same_start(at->first.start, process.start)) return at;
  return members_.end();
}

}  // namespace aispm::sensor
